"""Mean and covariance of the features of any number of images, summed up in pieces that can be merged.

Pieces are merged by the formula of Chan, Golub and LeVeque 1983, "Algorithms for Computing the Sample
Variance", The American Statistician 37(3), equation 2.1: what is summed are deviations from means, so that
nothing cancels, however many images there are.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcgan_edge.artifact import read_file
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.evaluation.classifier import CLASSES
from dcgan_edge.evaluation.distances import Doubles, Floats, pieces
from dcgan_edge.evaluation.frechet import Moments
from dcgan_edge.files import StrPath, write_atomic
from dcgan_edge.schema import read_json

Counts = npt.NDArray[np.int64]
KIND = "dcgan-edge feature sums"
MOST_DIMS = 4096


@dataclass(frozen=True)
class FeatureSums:
    """`n` feature vectors: their mean (d,), and `scatter` (d, d), the sum of products of their deviations.

    `labels` are how many images were seen as each class, empty where the extractor knows none. `extractor`
    are its facts, `shape` is the images' (channels, height, width). `files` are the numbers of the files that
    the images are from, by the hash of the set's index.
    """

    n: int
    mean: Doubles
    scatter: Doubles
    labels: Counts
    extractor: Mapping[str, Any]
    shape: tuple[int, ...]
    files: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def plus(self, other: FeatureSums) -> FeatureSums:
        """Return the sums of both sets of images.

        Raises UsageError when they are of other features or shapes, and for a file that is in both.
        """
        self.check_alike(other)
        for index in self.files.keys() & other.files.keys():
            if twice := set(self.files[index]) & set(other.files[index]):
                raise UsageError(f"File {min(twice)} of the same set of samples is counted twice.")
        n = self.n + other.n
        shift = other.mean - self.mean
        return dataclasses.replace(
            self,
            n=n,
            mean=self.mean + shift * (other.n / n),
            scatter=self.scatter + other.scatter + np.outer(shift, shift) * (self.n * other.n / n),
            labels=self.labels + other.labels,
            files={
                index: tuple(sorted((*self.files.get(index, ()), *other.files.get(index, ()))))
                for index in sorted({*self.files, *other.files})
            },
        )

    def check_alike(self, other: FeatureSums) -> None:
        """Raise UsageError unless both are sums of the same features of images of the same shape."""
        mine, theirs = (
            f"{one.extractor.get('name')} of {'x'.join(map(str, one.shape))}" for one in (self, other)
        )
        if mine != theirs or _weights(self.extractor) != _weights(other.extractor):
            raise UsageError(f"Features of different kinds cannot be compared: {mine} and {theirs}.")

    def moments(self) -> Moments:
        """Return mean and unbiased covariance. Raises UsageError for fewer than two images."""
        if self.n < 2:
            raise UsageError(f"A covariance takes at least two images, not {self.n}.")
        return Moments(self.mean, self.scatter / (self.n - 1))

    def class_shares(self) -> list[float] | None:
        """Return the share of each class, None where the extractor knows none."""
        return (self.labels / self.n).tolist() if len(self.labels) else None

    def save(self, path: StrPath) -> Path:
        """Write the sums to `path`, which `load_sums` reads. Raises EdgeError when that cannot be."""
        facts = {
            "kind": KIND,
            "schema_version": 1,
            "n": self.n,
            "extractor": dict(self.extractor),
            "shape": list(self.shape),
            "files": {index: list(numbers) for index, numbers in self.files.items()},
        }
        data = io.BytesIO()
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        np.savez(data, facts=text, mean=self.mean, scatter=self.scatter, labels=self.labels)
        write_atomic(Path(path), data.getvalue())
        return Path(path)


def sums_of(
    features: Floats, labels: Counts | None, extractor: Mapping[str, Any], shape: tuple[int, ...]
) -> FeatureSums:
    """Return the sums of features (n, d), n >= 1, of images of `shape` that are seen as `labels` (n,)."""
    mean = features.mean(0, dtype=np.float64)
    scatter = np.zeros((len(mean), len(mean)))
    for _, piece in pieces(features):
        piece -= mean
        scatter += piece.T @ piece
    counted = np.empty(0, np.int64) if labels is None else np.bincount(labels, minlength=CLASSES)
    return FeatureSums(len(features), mean, scatter, counted, extractor, shape)


def load_sums(path: StrPath) -> FeatureSums:
    """Return the sums in the file at `path`. Raises UsageError without one, ArtifactError for another."""
    path = Path(path)
    data = read_file(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:  # nothing of it takes more room than it has here
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("it is compressed")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return _checked(
                {name: arrays[name] for name in ("facts", "mean", "scatter", "labels")}, path.name
            )
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile, OverflowError) as error:
        raise ArtifactError(f"{path.name} does not hold sums of features ({str(error)[:100]}).") from error


def _checked(arrays: dict[str, Any], name: str) -> FeatureSums:
    facts = read_json(arrays["facts"].astype(np.uint8).tobytes(), name)
    mean, scatter, labels = arrays["mean"], arrays["scatter"], arrays["labels"]
    sound = (
        (facts["kind"], facts["schema_version"]) == (KIND, 1)
        and type(facts["n"]) is int
        and facts["n"] >= 1
        and isinstance(facts["extractor"], dict)
        and 1 <= mean.size <= MOST_DIMS
        and (mean.shape, scatter.shape) == ((mean.size,), (mean.size, mean.size))
        and (mean.dtype, scatter.dtype, labels.dtype) == (np.float64, np.float64, np.int64)
        and labels.shape in ((0,), (CLASSES,))
        and bool(np.isfinite(mean).all() and np.isfinite(scatter).all())
    )
    if not sound:
        raise ValueError("their form is another")
    files = {str(index): tuple(map(int, numbers)) for index, numbers in facts["files"].items()}
    return FeatureSums(
        facts["n"], mean, scatter, labels, facts["extractor"], tuple(map(int, facts["shape"])), files
    )


def _weights(extractor: Mapping[str, Any]) -> Any:
    """The hash of an extractor's weights; those of digits lie in two files, one for each backend."""
    return None if extractor.get("name") == "digits" else extractor.get("sha256")
