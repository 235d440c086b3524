"""Engines: TensorRT and TensorRT-RTX behind the `Session` contract."""
