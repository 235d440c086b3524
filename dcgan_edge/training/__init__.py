"""From images to a checkpoint: the adversarial training loop and everything it keeps on disk.

`train` is the way in; `load_generator` reads the result back for export.
"""

from __future__ import annotations

from dcgan_edge.training.checkpoint import CHECKPOINT_NAME, load_generator, read_header
from dcgan_edge.training.config import TrainConfig
from dcgan_edge.training.loop import Progress, TrainResult, resumed_config, train
from dcgan_edge.training.monitor import Event

__all__ = [
    "CHECKPOINT_NAME",
    "Event",
    "Progress",
    "TrainConfig",
    "TrainResult",
    "load_generator",
    "read_header",
    "resumed_config",
    "train",
]
