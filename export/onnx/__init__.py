"""From a PyTorch generator to an ONNX file: graph, folding, precision, and the reference beside it."""
