"""Our runtime side by side with what people would use instead, and checks of the benchmark itself."""
