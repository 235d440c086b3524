"""What test_distributed starts several of: the smallest run, with the number of each process in a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dcgan_edge.cli.program import one_voice
from dcgan_edge.errors import EdgeError
from dcgan_edge.training import CHECKPOINT_NAME, ema, run_training
from tests.training.tiny_run import tiny_config


def main() -> int:
    data, out, epochs = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    (out.parent / f"rank{os.environ['RANK']}").write_text(str(os.getpid()))
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
    sys.exit(main())
