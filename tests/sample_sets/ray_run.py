"""A small run over a real Ray, by itself: `python -m tests.sample_sets.ray_run ARTIFACT OUT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dcgan_edge import sample


def main(artifact: Path, out: Path) -> None:
    """Write ten files by one actor, and print as JSON what came of it; nothing else goes to stdout."""
    told: list[int] = []
    made = sample(
        artifact, range(100), out, format="webdataset", per_file=10, threads=1, engine="ray", workers=1,
        progress=lambda done, total: told.append(done),
    )  # fmt: skip
    print(json.dumps({**made.to_dict(), "told": told}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
