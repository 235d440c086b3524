"""From a checkpoint to artefacts with proof: ONNX graphs, precisions, engines, and the PyTorch reference."""
