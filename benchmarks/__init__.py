"""Side-by-side runs of our runtime against what people would use instead, and checks of the benchmark itself."""
