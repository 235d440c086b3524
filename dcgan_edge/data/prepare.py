"""A folder of pictures, once and for all, to one packed file that training maps into memory.

Pictures are read by `folder` exactly as for training, compared by `duplicates`, and written by
`packed_writer`. What could not be read and what is there twice is counted, named and written down.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import PIL

from dcgan_edge import __version__
from dcgan_edge.data.archive import is_archive
from dcgan_edge.data.duplicates import DuplicateIndex, Look, Match, look_at
from dcgan_edge.data.folder import FolderImages, PictureFile, folder_channels, list_pictures
from dcgan_edge.data.packed import SUFFIX
from dcgan_edge.data.packed_writer import Entry, PackedWriter
from dcgan_edge.data.pixels import UnreadableImage
from dcgan_edge.data.source import ReadProgress
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.files import StrPath
from dcgan_edge.images import PixelArray
from dcgan_edge.names import shown
from dcgan_edge.parallel import ordered_map
from dcgan_edge.words import count_words

READ_AHEAD = 64  # images
Drop = Literal["none", "exact", "near"]


@dataclass(frozen=True)
class Unreadable:
    """A file that is not in the result, or not whole, and the `reason`."""

    file: str
    reason: str


@dataclass(frozen=True)
class Duplicate:
    """`file` is the same as `earlier` (`distance` None), or looks like it, by so many of 256 bits."""

    file: str
    earlier: str
    distance: int | None


@dataclass(frozen=True)
class Findings:
    """What a person may want to look at before training.

    `omitted` are entries that are no pictures, `unreadable` pictures that cannot be read, and of those that
    are `animated` the first frame was taken.
    """

    omitted: tuple[Unreadable, ...]
    unreadable: tuple[Unreadable, ...]
    animated: tuple[str, ...]
    exact: tuple[Duplicate, ...]
    near: tuple[Duplicate, ...]


@dataclass(frozen=True)
class Prepared:
    """A packed file and what was found on the way. `pictures` were looked at, `count` are in the file."""

    out: Path
    sha256: str
    pictures: int
    count: int
    channels: int
    size: int
    findings: Findings

    @property
    def dropped(self) -> int:
        """Readable pictures that were left out because they are there already."""
        return self.pictures - self.count - len(self.findings.unreadable)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {**asdict(self), "out": str(self.out), "dropped": self.dropped}


def prepare(
    folder: StrPath,
    out: StrPath,
    *,
    size: int,
    channels: int | None = None,
    near: int = 6,
    drop: Drop = "none",
    progress: ReadProgress | None = None,
) -> Prepared:
    """Pack the pictures under `folder`, which may be an archive of them, into `out`, uint8 (n, channels,
    size, size), in the order of their names: turned upright, the centred square, resized with a Lanczos
    filter.

    `channels` None looks at a few of them. Pictures whose difference hashes differ by at most `near` of
    256 bits are reported as near-duplicates; `drop` leaves out what is the same as, or looks like, an earlier
    one. A run that was stopped goes on if folder and options are the same. `progress(done, of)` is told how
    many pictures are done.

    Raises UsageError for a wrong name or folder, EdgeError when no picture can be read or the disk is full.
    """
    if not os.fspath(folder) or not os.fspath(out):
        raise UsageError("A path is empty, as an unset variable of a shell is.")
    folder, out = Path(folder), Path(out)
    if out.suffix != SUFFIX:
        raise UsageError(f"A packed data set ends in {SUFFIX}; {out} does not.")
    if not folder.is_dir() and not is_archive(folder):
        raise UsageError(f"There is no folder and no archive {shown(folder)}.")
    listing = list_pictures(folder)
    files = listing.files
    channels = channels or folder_channels(folder)
    source = FolderImages(folder, size, channels, listing=listing)
    key = _key(files, {"near": near, "drop": drop})
    try:
        with PackedWriter(out, (channels, size, size), key) as writer:
            ledger = _Ledger(near, drop, writer.entries)
            writer.check_space(len(files) - len(writer.entries))
            _pack(source, writer, ledger, progress)
            if writer.count == 0:
                writer.discard()
                raise EdgeError(
                    f"Not one of {count_words(len(files), 'picture')} in {shown(folder)} can be read."
                )
            findings = _findings(source, writer.entries, ledger)
            digest = writer.finish(_described(folder, len(files), near, drop, findings))
    except OSError as error:
        raise EdgeError(
            f"Cannot write {out}: {error.strerror or error}. What is done is kept: run the same command "
            "again once that is mended."
        ) from error
    return Prepared(out, digest, len(files), writer.count, channels, size, findings)


class _Ledger:
    """Decides which images are kept, and remembers what they were like."""

    def __init__(self, near: int, drop: Drop, entries: list[Entry]) -> None:
        self._index, self._drop = DuplicateIndex(near), drop
        self._matches: list[tuple[int, Match]] = []
        for number, entry in enumerate(entries):
            if entry.look is not None:
                self.keeps(number, entry.look)

    def keeps(self, number: int, look: Look) -> bool:
        """Whether image `number`, which looks so, belongs into the file."""
        match = self._index.find(look)
        if match is not None:
            self._matches.append((number, match))
            if self._drop == "near" or (self._drop == "exact" and match.distance is None):
                return False
        self._index.add(number, look)
        return True

    def duplicates(self, source: FolderImages) -> list[Duplicate]:
        return [Duplicate(source.name(n), source.name(m.index), m.distance) for n, m in self._matches]


def _pack(source: FolderImages, writer: PackedWriter, ledger: _Ledger, progress: ReadProgress | None) -> None:
    def look(index: int) -> tuple[PixelArray, Look] | str:
        try:
            pixels = source.load(index)
        except UnreadableImage as error:
            return str(error)
        return pixels, look_at(pixels)

    start = len(writer.entries)
    images = ordered_map(look, range(start, len(source)), ahead=READ_AHEAD)
    try:
        for number, image in enumerate(images, start):
            if isinstance(image, str):
                writer.skip(image)
            else:
                animated = source.name(number) in source.animated
                writer.append(*image, kept=ledger.keeps(number, image[1]), animated=animated)
            if progress is not None:
                progress(number + 1, len(source))
    finally:
        images.close()


def _key(files: Sequence[PictureFile], options: dict[str, Any]) -> str:
    """A digest of the pictures' names, sizes and times, and of the options that decide what is kept."""
    digest = hashlib.sha256(repr(sorted(options.items())).encode())
    for file in files:
        digest.update(os.fsencode(file.name) + b"\0%d\0%d\0" % (file.size, file.stamp))
    return digest.hexdigest()


def _findings(source: FolderImages, entries: list[Entry], ledger: _Ledger) -> Findings:
    unreadable = (
        Unreadable(source.name(number), entry.reason)
        for number, entry in enumerate(entries)
        if entry.look is None
    )
    duplicates = ledger.duplicates(source)
    return Findings(
        tuple(Unreadable(entry.name, entry.reason) for entry in source.listing.omitted),
        tuple(unreadable),
        tuple(source.name(number) for number, entry in enumerate(entries) if entry.animated),
        tuple(duplicate for duplicate in duplicates if duplicate.distance is None),
        tuple(duplicate for duplicate in duplicates if duplicate.distance is not None),
    )


def _described(folder: Path, pictures: int, near: int, drop: Drop, findings: Findings) -> dict[str, Any]:
    return {
        "program": f"dcgan-edge {__version__}, pillow {PIL.__version__}",
        "source": {"folder": folder.resolve().name, "pictures": pictures},
        "resize": "upright, centred square, Lanczos",
        "near_threshold": near,
        "drop": drop,
        **asdict(findings),
    }
