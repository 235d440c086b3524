"""Is a set of samples complete, and every file what was written: whoever wrote it, and in how many jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dcgan_edge.errors import VerificationError
from dcgan_edge.files import StrPath
from dcgan_edge.sample_sets.plan import SetFormat, Shard
from dcgan_edge.sample_sets.records import INDEX, read_index, record_name, whole_file
from dcgan_edge.sample_sets.stores import open_store
from dcgan_edge.sampling import Progress

SHOWN = 5  # names that a message lists


@dataclass(frozen=True)
class CheckedSamples:
    """A set of `images` in `files` files: `missing` are the numbers of those that are not there, or not yet
    whole, and `damaged` of those that are not what their record says.
    """

    where: str
    format: SetFormat
    images: int
    files: int
    missing: tuple[int, ...]
    damaged: tuple[int, ...]

    def shards(self, count: int) -> list[int]:
        """Return the numbers of the shards, of `count` in all, that have something to do."""
        numbers = {Shard(number % count, count).number for number in (*self.missing, *self.damaged)}
        return sorted(numbers)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        return {
            "samples": self.where,
            "format": self.format,
            "images": self.images,
            "files": self.files,
            "missing": list(self.missing),
            "damaged": list(self.damaged),
            "complete": not (self.missing or self.damaged),
        }

    def raise_if_failed(self) -> None:
        """Raise VerificationError unless every file is there and right."""
        said = [
            f"{len(numbers):,} of {self.files:,} files are {what}: {_listed(numbers)}"
            for what, numbers in (("missing", self.missing), ("damaged", self.damaged))
            if numbers
        ]
        if said:
            raise VerificationError(
                f"{self.where} is not complete. {'; '.join(said)}. The command that wrote the others, or its "
                "shard, writes these again."
            )


def is_sample_set(where: StrPath) -> bool:
    """Whether `where` is a URL, or a folder with the index of a set of samples."""
    place = open_store(where).place(INDEX)
    return isinstance(place, str) or place.is_file()


def check_samples(where: StrPath, *, progress: Progress | None = None) -> CheckedSamples:
    """Hold every file of the set in the folder or URL `where` against its record; nothing is changed.

    All files are read through, and `progress` is told how many were, of how many. Raises UsageError where
    there is no set, ArtifactError for an index that is not sound, and EdgeError for what cannot be read.
    """
    store = open_store(where)
    index = read_index(store)
    there = set(store.names())
    missing: list[int] = []
    damaged: list[int] = []
    for number in range(index.files):
        name = index.name(number)
        if not {name, record_name(name)} <= there:
            missing.append(number)
        elif whole_file(store, name, index.digest) is None:
            damaged.append(number)
        if progress:
            progress(number + 1, index.files)
    return CheckedSamples(str(store), index.format, index.images, index.files, tuple(missing), tuple(damaged))


def _listed(numbers: tuple[int, ...]) -> str:
    more = f" and {len(numbers) - SHOWN:,} more" if len(numbers) > SHOWN else ""
    return ", ".join(map(str, numbers[:SHOWN])) + more
