"""The images of a set of samples, file by file, each of which is held against its record first."""

from __future__ import annotations

import io
import itertools
import tarfile
from collections.abc import Iterator

import numpy as np

from dcgan_edge.errors import ArtifactError, UsageError, VerificationError
from dcgan_edge.files import sha256
from dcgan_edge.images import PixelArray
from dcgan_edge.parallel import ordered_map
from dcgan_edge.sample_sets.records import Index, read_record
from dcgan_edge.sample_sets.stores import Store

PIECE = 1000  # images that are decoded at a time


def images_in(store: Store, index: Index, number: int) -> Iterator[PixelArray]:
    """Yield the images of file `number`, uint8 (n, c, h, w), up to 1,000 at a time, in their order.

    Raises VerificationError for a file that is missing or not what its record says, UsageError for an array,
    ArtifactError for pictures of different shapes.
    """
    name = index.name(number)
    record, data = read_record(store, name), store.read(name)
    if data is None or record is None or (record.index, record.sha256) != (index.digest, sha256(data)):
        raise VerificationError(
            f"{store.place(name)} is missing, or is not what was written. See what else is: dcgan-edge check "
            f"{store}"
        )
    if index.format == "npy":
        raise UsageError(f"{store} is one array; take a set of tar or Parquet files.")
    pictures = _of_parquet(data) if index.format == "parquet" else _of_tar(data)
    decoded = ordered_map(_decoded, pictures, ahead=2 * PIECE)
    while piece := list(itertools.islice(decoded, PIECE)):
        if len({image.shape for image in piece}) != 1:
            raise ArtifactError(f"{store.place(name)} has pictures of different shapes.")
        yield np.stack(piece)


def _of_tar(data: bytes) -> Iterator[bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            if member.name.endswith(".png"):
                content = archive.extractfile(member)
                if content is not None:
                    yield content.read()


def _of_parquet(data: bytes) -> Iterator[bytes]:
    from pyarrow.parquet import ParquetFile

    for batch in ParquetFile(io.BytesIO(data)).iter_batches(PIECE, columns=["image"]):
        yield from batch.column(0).to_pylist()


def _decoded(picture: bytes) -> PixelArray:
    """Return the picture as (c, h, w)."""
    from PIL import Image

    with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
        pixels = np.asarray(image, np.uint8)
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))
