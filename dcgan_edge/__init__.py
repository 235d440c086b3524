"""DCGAN generators from checkpoint to edge device: train, export, verify, sample, benchmark."""

__version__ = "0.1.0"
