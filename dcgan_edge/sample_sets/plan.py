"""What a set of samples holds, and in which of its files: the same whoever writes them.

Images rise by seed, then class, and file i has those from place i * `per_file` on. So a file depends on the
request alone, and what is split between machines are files: no shard, order or number of attempts changes
what is in them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dcgan_edge.architecture import Architecture
from dcgan_edge.classes import Pair
from dcgan_edge.errors import UsageError
from dcgan_edge.sampling import rising_pairs
from dcgan_edge.seeds import MOST_IN_SETS, Seeds

SetFormat = Literal["npy", "webdataset", "parquet"]
SET_FORMATS: tuple[SetFormat, ...] = get_args(SetFormat)
SUFFIXES = {"webdataset": ".tar", "parquet": ".parquet"}
PER_FILE = 10_000  # images, as img2dataset has it
MOST_FILES = 100_000  # which five digits count
MOST_SHARDS = 100_000
ARRAY = "images.npy"


@dataclass(frozen=True)
class Shard:
    """The share of one job: the files whose number leaves `number` when it is divided by `count`.

    Numbers count from 0, as Slurm's array indices and Kubernetes' completion indices do.
    """

    number: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.count <= MOST_SHARDS:
            raise UsageError(
                f"There is no shard {self.number} of {self.count}: the first of 64 is 0/64, the last 63/64."
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, files: int) -> range:
        """Return the numbers of this shard's files, of `files` in all."""
        return range(self.number, files, self.count)


def parse_shard(text: str) -> Shard:
    """Read `3/64` as the fourth of 64 shards. Raises UsageError for anything else."""
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no shard; write NUMBER/COUNT, from 0/64 to 63/64.")
    return Shard(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class SamplePlan:
    """The images of the rising `seeds` in the rising `classes` (None: seed s in class s modulo their number),
    as files of `per_file` images in `format`.

    Each pixel is drawn `scale` x `scale`, and `batch` is the number of images per call (None: the default).
    An array of the format npy has all images in one file.
    """

    architecture: Architecture
    seeds: Seeds
    classes: tuple[int, ...] | None = None
    format: SetFormat = "webdataset"
    scale: int = 1
    batch: int | None = None
    per_file: int = PER_FILE

    def __post_init__(self) -> None:
        if self.files > MOST_FILES:
            raise UsageError(
                f"{self.images:,} images are {self.files:,} files of {self.per_file:,}, and {MOST_FILES:,} "
                "are the most. Take more images per file."
            )

    @property
    def pairs(self) -> Sequence[Pair]:
        """Return all pairs of a seed and a class in rising order, computed when they are asked for."""
        return rising_pairs(self.architecture, self.seeds, self.classes, most=MOST_IN_SETS)

    @property
    def images(self) -> int:
        """Return the number of all images."""
        return len(self.pairs)

    @property
    def files(self) -> int:
        """Return the number of all files, at least 1."""
        return 1 if self.format == "npy" else max(1, -(-self.images // self.per_file))

    @property
    def several(self) -> bool:
        """Whether a seed occurs in several classes."""
        return self.classes is not None and len(self.classes) > 1

    def name(self, number: int) -> str:
        """Return the name of file `number`: 00000.tar and so on."""
        return file_name(self.format, number)

    def pairs_of(self, number: int) -> Sequence[Pair]:
        """Return the pairs whose images file `number` has."""
        if self.format == "npy":
            return self.pairs
        return self.pairs[number * self.per_file : (number + 1) * self.per_file]

    def images_in(self, numbers: range) -> int:
        """Return how many images the files `numbers` have together."""
        if self.format == "npy":
            return self.images * len(numbers)
        if not numbers:
            return 0
        last = len(self.pairs_of(self.files - 1)) if numbers[-1] == self.files - 1 else self.per_file
        return (len(numbers) - 1) * self.per_file + last

    def to_dict(self) -> dict[str, Any]:
        """Return the request as the index of a set has it."""
        return {
            "format": self.format,
            "images": self.images,
            "files": self.files,
            "per_file": None if self.format == "npy" else self.per_file,
            "seeds": str(self.seeds),
            "classes": None if self.classes is None else list(self.classes),
            "scale": self.scale,
        }


def file_name(format: SetFormat, number: int) -> str:
    """Return the name of file `number` of a set in `format`."""
    return ARRAY if format == "npy" else f"{number:05d}{SUFFIXES[format]}"
