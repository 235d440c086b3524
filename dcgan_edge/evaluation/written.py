"""FID of images that are written already, as many as there are: their features are summed up file by file."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.extractor import FeatureExtractor, Features, load_extractor
from dcgan_edge.evaluation.frechet import frechet_distance
from dcgan_edge.evaluation.reality import RealImages, real_images
from dcgan_edge.evaluation.scores import MOST, described
from dcgan_edge.evaluation.sums import FeatureSums, load_sums, sums_of
from dcgan_edge.files import StrPath
from dcgan_edge.images import PixelArray
from dcgan_edge.sample_sets.plan import Shard
from dcgan_edge.sample_sets.reading import images_in
from dcgan_edge.sample_sets.records import read_index
from dcgan_edge.sample_sets.stores import open_store

SUMS = ".npz"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class WrittenScore:
    """The FID of `sums.n` written images against real ones, and of the `held_out` real ones: the baseline."""

    sums: FeatureSums
    fid: float
    real: FeatureSums
    held_out: FeatureSums
    baseline: float
    data: str
    split: str

    def to_dict(self) -> dict[str, Any]:
        """Return every figure as JSON has it."""
        return {
            "data": self.data,
            "split": self.split,
            "real_images": self.real.n,
            "features": dict(self.sums.extractor),
            "n": self.sums.n,
            "files": sum(map(len, self.sums.files.values())),
            "fid": self.fid,
            "baseline": {"n": self.held_out.n, "fid": self.baseline},
            "class_shares": self.sums.class_shares(),
            "real_class_shares": self.real.class_shares(),
        }


def feature_sums(
    inputs: StrPath | Sequence[StrPath],
    *,
    features: Features = "digits",
    weights: StrPath | None = None,
    shard: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
) -> FeatureSums:
    """Return the sums of the features of all images in `inputs`, which are read through.

    `inputs` are folders or URLs that `sample` wrote tar or Parquet files into, or files that the result of
    this was saved to, `.npz`, which are added. `shard` (number, count) reads that share of the files alone,
    numbers counted from 0. `features` and `weights` are those of `evaluate`; `progress` is told the number of
    files done, and of how many.

    Raises UsageError for what is no set, for sums of other features and for files that are counted twice;
    VerificationError for a file that is missing or damaged, ArtifactError for sums that are not sound.
    """
    given = [inputs] if isinstance(inputs, (str, os.PathLike)) else list(inputs)
    saved = [path for path in given if os.fspath(path).endswith(SUMS)]
    folders = [path for path in given if not os.fspath(path).endswith(SUMS)]
    if saved and shard != (0, 1):
        raise UsageError("Sums that are saved have no shards.")
    parts: Iterable[FeatureSums] = map(load_sums, saved)
    if folders:
        extractor = load_extractor(features, weights)
        parts = itertools.chain(parts, _of_folders(folders, extractor, Shard(*shard), progress))
    return _merged(parts)


def fid(
    inputs: StrPath | Sequence[StrPath],
    data: str = "digits",
    *,
    features: Features = "digits",
    weights: StrPath | None = None,
    progress: Progress | None = None,
) -> WrittenScore:
    """Return the FID of the images in `inputs`, see `feature_sums`, against the real images of `data`.

    The features of the real ones are those of up to 50,000 training images, as `evaluate` has them.

    Raises as `feature_sums` and `evaluate` do.
    """
    sums = feature_sums(inputs, features=features, weights=weights, progress=progress)
    extractor = load_extractor(features, weights)
    channels, size, _ = sums.shape
    real = real_images(data, size, channels)
    train = _summed(_first(real), extractor)
    held_out = _summed([real.held_out], extractor)
    train.check_alike(sums)
    target = train.moments()
    return WrittenScore(
        sums, frechet_distance(sums.moments(), target), train, held_out,
        frechet_distance(held_out.moments(), target), data, real.split,
    )  # fmt: skip


def _of_folders(
    folders: Sequence[StrPath], extractor: FeatureExtractor, shard: Shard, progress: Progress | None
) -> Iterator[FeatureSums]:
    stores = [open_store(folder) for folder in folders]
    indices = [read_index(store) for store in stores]
    total, done = sum(len(shard.of(index.files)) for index in indices), 0
    for store, index in zip(stores, indices, strict=True):
        for number in shard.of(index.files):
            summed = _summed(images_in(store, index, number), extractor)
            yield dataclasses.replace(summed, files={index.digest: (number,)})
            done += 1
            if progress:
                progress(done, total)


def _summed(blocks: Iterable[PixelArray], extractor: FeatureExtractor) -> FeatureSums:
    return _merged(
        sums_of(*described(block, extractor), extractor.facts, block.shape[1:]) for block in blocks
    )


def _merged(parts: Iterable[FeatureSums]) -> FeatureSums:
    """Return the sums of all `parts`, one after the other. Raises UsageError when there are none."""
    whole: FeatureSums | None = None
    for part in parts:
        whole = part if whole is None else whole.plus(part)
    if whole is None:
        raise UsageError("There is nothing to sum up: name sets of samples, or sums of them.")
    return whole


def _first(real: RealImages) -> Iterator[PixelArray]:
    """Yield the training images that `make_reference` takes the features of."""
    count = 0
    for block in real.train():
        if count < MOST:
            yield block[: MOST - count]
        count += len(block)
