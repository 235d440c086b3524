"""Change single bytes of a bundle, one after the other, and say which of them `check` would let pass.

python -m tests.packaging.flips bundle.tar.gz      two hundred, at random
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from dcgan_edge.errors import ArtifactError
from dcgan_edge.packaging.checking import check_bundle

FLIPS = 200


def missed_flips(bundle: Path, copy: Path, places: Iterable[int]) -> list[int]:
    """The places of bytes in `bundle` whose change, in the file `copy`, was not caught."""
    shutil.copy(bundle, copy)
    chance, missed = random.Random(0), []
    with open(copy, "r+b", buffering=0) as file:
        for place in places:
            (byte,) = os.pread(file.fileno(), 1, place)
            os.pwrite(file.fileno(), bytes([byte ^ chance.randrange(1, 256)]), place)
            try:
                check_bundle(copy)
                missed.append(place)
            except ArtifactError:
                pass
            os.pwrite(file.fileno(), bytes([byte]), place)
    check_bundle(copy)
    return missed


if __name__ == "__main__":
    path = Path(sys.argv[1])
    size = path.stat().st_size
    with tempfile.TemporaryDirectory() as folder:
        found = missed_flips(path, Path(folder) / "copy.tar.gz", random.Random(1).sample(range(size), FLIPS))
    print(f"{FLIPS - len(found)} of {FLIPS} changed bytes caught, in {size:,} bytes", *found)
    sys.exit(bool(found))
