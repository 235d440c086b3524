"""A data set in one file: images uint8 (n, c, size, size) as plain .npy, mapped into memory, not read.

`prepare` writes it, `known` recognises it. The file beside it, `<file>.json`, says where the images came from
and what the file must be; a file without it, cut short or changed is refused before it is mapped.
Format: NumPy, "The .npy format", version 1.0. Nothing in it is ever unpickled.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcgan_edge.artifact import read_file, sidecar_path
from dcgan_edge.errors import ArtifactError
from dcgan_edge.files import sha256_of
from dcgan_edge.images import PixelArray
from dcgan_edge.schema import build, read_json

SUFFIX = ".npy"
KIND = "packed-images"
SCHEMA_VERSION = 1
FACTS = ("count", "channels", "size", "sha256")
LARGEST = 1024  # pixels of a side
HEADER = 128  # bytes, whatever the shape, so that the number of images can be written at the end


@dataclass(frozen=True)
class PackedFacts:
    """What the file beside a packed one says of it."""

    count: int
    channels: int
    size: int
    sha256: str

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return the shape of the whole array: (count, channels, size, size)."""
        return self.count, self.channels, self.size, self.size


def is_packed(path: Path) -> bool:
    """Return whether `path` is a file that is named like a packed one."""
    return path.suffix == SUFFIX and path.is_file()


def header(shape: tuple[int, int, int, int]) -> bytes:
    """Return the first 128 bytes of a .npy file of uint8 in C order."""
    facts = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    start = b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little")
    return start + facts.ljust(HEADER - 11) + b"\n"


def packed_facts(path: Path) -> PackedFacts:
    """Return what `path` should hold. Raises ArtifactError without a sound description beside it."""
    sidecar = sidecar_path(path)
    if not sidecar.is_file():
        raise ArtifactError(
            f"{path.name} has no {sidecar.name} beside it. Copy both, or make them: dcgan-edge data prepare"
        )
    facts = read_json(read_file(sidecar), sidecar.name)
    try:
        if not isinstance(facts, dict) or (facts.get("kind"), facts.get("schema_version")) != (
            KIND,
            SCHEMA_VERSION,
        ):
            raise ValueError(f"it is not {KIND} of schema {SCHEMA_VERSION}")
        known = build(PackedFacts, {name: facts[name] for name in FACTS if name in facts})
    except ValueError as error:
        raise ArtifactError(f"{sidecar.name} does not describe packed images ({error}).") from error
    if not (known.count > 0 and known.channels in (1, 3) and 0 < known.size <= LARGEST):
        raise ArtifactError(f"{sidecar.name} does not describe packed images (their shape is {known.shape}).")
    return known


def open_packed(path: Path) -> PixelArray:
    """Return the images of `path`, uint8 (n, c, size, size), mapped read-only once their digest was compared.

    Raises ArtifactError when the file is not the one that was written.
    """
    facts = packed_facts(path)
    if sha256_of(path) != facts.sha256:
        raise ArtifactError(
            f"{path.name} is not the file that {sidecar_path(path).name} describes: it was changed, cut "
            "short or exchanged. Copy both again, or make them: dcgan-edge data prepare"
        )
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path.name} is not a .npy file ({error}).") from error
    if images.dtype != np.uint8 or images.shape != facts.shape:
        raise ArtifactError(f"{path.name} holds {images.dtype} {images.shape}, not uint8 {facts.shape}.")
    return np.asarray(images)
