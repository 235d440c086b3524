"""From an ONNX file to an engine. Loads neither torch nor onnx, so that a device builds its own engines."""
