"""What test_distributed starts several of: the smallest run."""

from __future__ import annotations

import sys
from pathlib import Path

from dcgan_edge.cli.program import one_voice
from dcgan_edge.errors import EdgeError
from dcgan_edge.training import CHECKPOINT_NAME, ema, run_training
from tests.training.tiny_run import tiny_config


def take_part(data: Path, out: Path, epochs: int) -> int:
    """Train in this process and those that RANK and WORLD_SIZE speak of; returns the exit code."""
    ema.STATISTICS_BATCHES = 2
    config = tiny_config(data, epochs=epochs, shards=2, checkpoint_seconds=0.0)
    with one_voice():
        try:
            result = run_training(config, out, resume=(out / CHECKPOINT_NAME).is_file())
        except EdgeError as error:
            print(f"Error: {error}", file=sys.stderr)
            return error.exit_code
        print(f"Trained {result.step} steps.")
    return 0


if __name__ == "__main__":
    sys.exit(take_part(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
