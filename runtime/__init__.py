"""What runs on the device: sessions, sampling, parity, benchmark, report. Never torch, never onnx.

A backend (onnxruntime, openvino, tensorrt) is imported when a session of it is opened, not before.
"""
