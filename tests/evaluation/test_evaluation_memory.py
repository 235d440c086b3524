"""How much memory an evaluation takes, and that copies are searched in every training image."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np

from dcgan_edge.evaluation import scores
from dcgan_edge.evaluation.extractor import FeatureExtractor
from dcgan_edge.evaluation.reality import RealImages
from dcgan_edge.evaluation.scores import judge_all, make_reference
from dcgan_edge.images import PixelArray
from dcgan_edge.latents import FloatArray

SIZE, CHANNELS, BLOCK = 32, 3, 500
MIB = 2**20


class Corners(FeatureExtractor):
    """The first sixteen pixels."""

    dim = 16

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {"name": "corners"}

    def features(self, images: FloatArray) -> FloatArray:
        return images.reshape(len(images), -1)[:, : self.dim]


def noise(count: int, seed: int) -> PixelArray:
    return np.random.default_rng(seed).integers(0, 256, (count, CHANNELS, SIZE, SIZE), np.uint8)


def blocks(count: int) -> Iterator[PixelArray]:
    for number in range(count):
        yield noise(BLOCK, 100 + number)


def test_the_training_images_are_never_copied_as_a_whole() -> None:
    """40 blocks are 59 MiB of bytes, and 469 MiB as float64."""
    real = RealImages("noise", lambda: blocks(40), noise(200, 1), "made")
    tracemalloc.start()
    try:
        reference = make_reference(real, Corners())
        judged = dict(judge_all({"a": noise(200, 2), "b": noise(200, 3)}, reference))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reference.train_images == 40 * BLOCK
    assert len(judged) == 2
    assert peak < 100 * MIB


def test_a_copy_of_the_last_training_image_is_found(monkeypatch: Any) -> None:
    """Features are those of the first images alone."""
    monkeypatch.setattr(scores, "MOST", 600)
    real = RealImages("noise", lambda: blocks(4), noise(200, 1), "made")
    reference = make_reference(real, Corners())
    assert (len(reference.features), reference.train_images) == (600, 4 * BLOCK)
    copied = noise(60, 2)
    copied[0] = noise(BLOCK, 103)[-1]
    ((_, judged),) = judge_all({"copied": copied}, reference)
    assert judged.scores.copies == 1 / 60
    assert judged.scores.nearest < 1e-3
    np.testing.assert_array_equal(judged.neighbours.images[0], copied[0])
