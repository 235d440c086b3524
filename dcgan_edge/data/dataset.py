"""Images in, batches out: the one thing that the training loop knows about data.

A source (`idx`, `folder`) loads one image; a data set of it is kept in memory as uint8 where it fits, and
decoded again in every epoch where it does not. Batches come in an order that is a pure function of the seed
and the epoch, so that training goes on in the middle of an epoch with exactly the images it would have had.
"""

from __future__ import annotations

import hashlib
import logging
from bisect import bisect
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dcgan_edge.data.pixels import UnreadableImage
from dcgan_edge.data.source import WHOLE, Batch, Dataset, Labels, Part, ReadProgress, Source
from dcgan_edge.errors import EdgeError
from dcgan_edge.images import PixelArray
from dcgan_edge.machine import available_memory
from dcgan_edge.parallel import ordered_map
from dcgan_edge.words import count_words

MEMORY_SHARE = 4  # a data set may take one in so many of the free bytes; training needs the rest
READ_AHEAD = 64  # images
NAMED = 5  # skipped files that a message names

log = logging.getLogger(__name__)


class MemoryDataset:
    """Images kept as one uint8 tensor (n, channels, size, size)."""

    def __init__(self, pixels: Tensor, skipped: list[str], digest: str, labels: Labels | None = None) -> None:
        self.pixels, self.skipped, self.digest, self.labels = pixels, skipped, digest, labels

    def __len__(self) -> int:
        return len(self.pixels)

    def batches(
        self, batch: int, *, seed: int, epoch: int, start: int = 0, part: Part = WHOLE
    ) -> Iterator[Tensor]:
        """Yield batches as `Dataset` describes them."""
        return (
            each.pixels
            for each in self.labelled_batches(batch, seed=seed, epoch=epoch, start=start, part=part)
        )

    def labelled_batches(
        self, batch: int, *, seed: int, epoch: int, start: int = 0, part: Part = WHOLE
    ) -> Iterator[Batch]:
        """Yield batches as `Dataset` describes them."""
        for indices in _batched_order(len(self), batch, seed, epoch, start, part):
            yield Batch(self.pixels[torch.from_numpy(indices)], _classes_of(indices, self.labels))


class StreamedDataset:
    """Images loaded anew in every epoch; the next one takes the place of one that cannot be read."""

    def __init__(self, source: Source, labels: Labels | None = None) -> None:
        self._source, self.labels = source, labels
        self.skipped = list(source.omitted)
        self.digest = _digest(source, labels)
        self._unreadable: set[int] = set()

    def __len__(self) -> int:
        return len(self._source)

    def batches(
        self, batch: int, *, seed: int, epoch: int, start: int = 0, part: Part = WHOLE
    ) -> Iterator[Tensor]:
        """Yield batches as `Dataset` describes them, decoded ahead by threads."""
        return (
            each.pixels
            for each in self.labelled_batches(batch, seed=seed, epoch=epoch, start=start, part=part)
        )

    def labelled_batches(
        self, batch: int, *, seed: int, epoch: int, start: int = 0, part: Part = WHOLE
    ) -> Iterator[Batch]:
        """Yield batches as `Dataset` describes them, decoded ahead by threads."""
        indices = _batched_order(len(self), batch, seed, epoch, start, part)
        images = ordered_map(
            self._load, (int(i) for chunk in indices for i in chunk), ahead=READ_AHEAD + batch
        )
        try:
            gathered: list[tuple[int, PixelArray]] = []
            own = len(range(batch)[_own(batch, part)])
            for image in images:
                gathered.append(image)
                if len(gathered) == own:
                    places, pixels = zip(*gathered, strict=True)
                    yield Batch(torch.from_numpy(np.stack(pixels)), _classes_of(places, self.labels))
                    gathered.clear()
        finally:
            images.close()

    def _load(self, index: int) -> tuple[int, PixelArray]:
        """The image of `index`, or the next that can be read, and its own index."""
        for candidate in (*range(index, len(self)), *range(index)):
            if candidate in self._unreadable:
                continue
            try:
                return candidate, self._source.load(candidate)
            except UnreadableImage as error:
                self._skip(candidate, error)
        raise EdgeError("None of the pictures can be read.")

    def _skip(self, index: int, error: UnreadableImage) -> None:
        if index not in self._unreadable:
            self._unreadable.add(index)
            self.skipped.append(f"{self._source.name(index)}: {error}")
            log.warning("Skipped %s", self.skipped[-1])


def gather(
    source: Source,
    shape: tuple[int, int, int],
    *,
    labels: Labels | None = None,
    progress: ReadProgress | None = None,
) -> Dataset:
    """Return a data set of `source`, whose images are (channels, height, width) = `shape`: in memory if it
    fits.

    `labels` are the classes of the images of `source`; the data set's digest stands for them too. `progress`
    is told how many images are read. Raises EdgeError when none can be.
    """
    if source.omitted:
        count = "1 entry" if len(source.omitted) == 1 else f"{len(source.omitted):,} entries"
        log.warning("Left out %s: %s", count, _named(source.omitted))
    if len(source) * int(np.prod(shape)) > available_memory() // MEMORY_SHARE:
        return StreamedDataset(source, labels)
    pixels = np.empty((len(source), *shape), np.uint8)
    unreadable: dict[int, str] = {}
    for index, image in enumerate(_load_all(source)):
        if isinstance(image, str):
            unreadable[index] = image
        else:
            pixels[index] = image
        if progress is not None:
            progress(index + 1, len(source))
    if len(unreadable) == len(source):
        pictures, why = count_words(len(source), "picture"), _named(list(unreadable.values()))
        raise EdgeError(f"Not one of {pictures} can be read: {why}.")
    readable = [index for index in range(len(source)) if index not in unreadable]
    digest, labels = _digest(source, labels), None if labels is None else labels.copy()
    for index in unreadable:  # the next image takes the place, as it does in a stream
        next_one = readable[bisect(readable, index) % len(readable)]
        pixels[index] = pixels[next_one]
        if labels is not None:
            labels[index] = labels[next_one]
    reasons = list(unreadable.values())
    if reasons:
        log.warning("Skipped %d of %d files: %s", len(reasons), len(source), _named(reasons))
    return MemoryDataset(torch.from_numpy(pixels), [*source.omitted, *reasons], digest, labels)


def _digest(source: Source, labels: Labels | None) -> str:
    """What identifies the images, and their labels where they matter."""
    digest = source.digest()
    if labels is None:
        return digest
    return hashlib.sha256(digest.encode() + labels.astype("<i8").tobytes()).hexdigest()


def _classes_of(places: Sequence[int] | npt.NDArray[np.int64], labels: Labels | None) -> Tensor | None:
    return None if labels is None else torch.from_numpy(labels[np.asarray(places)])


def _load_all(source: Source) -> Iterator[PixelArray | str]:
    """Every image in order, or in its place the name of the file and why it could not be read."""

    def load(index: int) -> PixelArray | str:
        try:
            return source.load(index)
        except UnreadableImage as error:
            return f"{source.name(index)}: {error}"

    return ordered_map(load, range(len(source)), ahead=READ_AHEAD)


def _named(skipped: Sequence[str]) -> str:
    more = len(skipped) - NAMED
    return "; ".join(skipped[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def epoch_order(count: int, *, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Return a permutation of 0..count-1 that depends on `seed` (0..2**64-1) and `epoch` (from 0) alone.

    The indices are sorted by raw words of Philox with the key (seed, epoch + 1), which NumPy keeps the same
    in all versions, as it does not its shuffles.
    """
    words = np.random.Philox(key=seed + ((epoch + 1) << 64)).random_raw(count)
    return np.argsort(words, kind="stable")


def _batched_order(
    count: int, batch: int, seed: int, epoch: int, start: int, part: Part
) -> Iterator[npt.NDArray[np.int64]]:
    order = epoch_order(count, seed=seed, epoch=epoch)
    for number in range(start, count // batch):
        yield order[number * batch : (number + 1) * batch][_own(batch, part)]


def _own(batch: int, part: Part) -> slice:
    """Which of a batch are of its `part`."""
    return slice(*(batch * index // part[1] for index in (part[0], part[0] + 1)))
