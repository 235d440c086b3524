"""From images to a checkpoint: the adversarial training loop and everything it keeps on disk.

`train` is the way in; `load_generator` reads the result back for export.
"""

from __future__ import annotations

from dcgan_edge.training.checkpoint import CHECKPOINT_NAME, load_generator, read_header
from dcgan_edge.training.config import TrainConfig
from dcgan_edge.training.loop import TrainProgress, TrainResult, resumed_config, run_training
from dcgan_edge.training.monitor import TrainEvent
from dcgan_edge.training.request import TrainRequest, train

__all__ = [
    "CHECKPOINT_NAME",
    "TrainConfig",
    "TrainEvent",
    "TrainProgress",
    "TrainRequest",
    "TrainResult",
    "load_generator",
    "read_header",
    "resumed_config",
    "run_training",
    "train",
]
