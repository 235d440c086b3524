"""8,000 handwritten digits that travel with the package: 7,000 to train on, 1,000 held out, with labels.

A part of the MNIST database (LeCun, Cortes and Burges, 1998) in its own file format, gzipped.
"""

from __future__ import annotations

import io
from importlib import resources

from dcgan_edge.data.idx import PREFIXES, Split, check_labels, read_idx
from dcgan_edge.images import PixelArray


def load_digits(split: Split = "train") -> tuple[PixelArray, PixelArray]:
    """Return images uint8 (n, 28, 28), white on black, and their labels uint8 (n,), 0 to 9."""
    images = _read(f"{PREFIXES[split]}-images-idx3-ubyte.gz", dimensions=3)
    labels = _read(f"{PREFIXES[split]}-labels-idx1-ubyte.gz", dimensions=1)
    return images, check_labels(labels, images, split)


def _read(name: str, *, dimensions: int) -> PixelArray:
    data = resources.files(__name__).joinpath(name).read_bytes()
    return read_idx(io.BytesIO(data), name, dimensions=dimensions)
