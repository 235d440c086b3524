"""The small checkpoint and the artifacts that many tests use, made once where torch is.

    python -m tests.prepared FOLDER      make them for a test run without torch

With DCGAN_EDGE_TEST_ARTIFACTS=FOLDER in its environment that run copies them instead of training.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from dcgan_edge.artifact import Architecture, BatchProfile

TINY = Architecture("dcgan", 28, 1, 4, latent_dim=16)
FOLDER = os.environ.get("DCGAN_EDGE_TEST_ARTIFACTS")


def checkpoint_in(folder: Path) -> Path:
    """A checkpoint after two steps on the digits: everything real but the quality."""
    if FOLDER:
        return (
            Path(shutil.copytree(Path(FOLDER) / "run", folder, dirs_exist_ok=True)) / "checkpoint.safetensors"
        )
    from dcgan_edge.training import TrainConfig, run_training

    return run_training(TrainConfig(TINY, batch=3500, epochs=1, precision="fp32"), folder).checkpoint


def artifacts_in(folder: Path, checkpoint: Path) -> Path:
    """`folder`, with generator.fp32.onnx and generator.fp16.onnx of `checkpoint`."""
    if FOLDER:
        return Path(shutil.copytree(Path(FOLDER) / "artifacts", folder, dirs_exist_ok=True))
    from dcgan_edge.export.pipeline import export

    export(checkpoint, folder, batch=BatchProfile(1, 4, 8))
    return folder


if __name__ == "__main__":
    target = Path(sys.argv[1])
    artifacts_in(target / "artifacts", checkpoint_in(target / "run"))
