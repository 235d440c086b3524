"""Side-by-side runs of our runtime against what people would use instead; results with their raw samples."""
