"""From a checkpoint to artifacts with proof: ONNX graphs, precisions, engines, and the PyTorch reference."""
