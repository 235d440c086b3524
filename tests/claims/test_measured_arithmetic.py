"""The measurement tells a latent space with structure from one without, and its intervals are Wilson's."""

from __future__ import annotations

import numpy as np
import pytest

from dcgan_edge.claims.arithmetic import VARIANTS, measure, wilson
from dcgan_edge.errors import EdgeError
from dcgan_edge.latent.pools import MEASURES, classified, ink, make_pool, slant
from dcgan_edge.latents import FloatArray
from tests.mirror import SIDE, MirrorSession


def by_first_pixel(images: FloatArray) -> FloatArray:
    """Two classes along one direction of the latent space, as a linear world has them."""
    value = 40 * images[:, 0, 0, :1]
    return np.asarray(np.concatenate([value, -value], axis=1), np.float32)


def by_chance(images: FloatArray) -> FloatArray:
    """Three classes that no direction leads to: by the last digits of the image's sum."""
    digits = np.floor(np.abs(images.sum(axis=(1, 2, 3))) * 1e5).astype(np.int64) % 3
    return np.asarray(np.eye(3)[digits] * 10, np.float32)


def test_arithmetic_works_where_classes_are_directions() -> None:
    done: list[int] = []
    found = measure(MirrorSession(), by_first_pixel, pool=range(400), draws=200, progress=done.append)
    rates = found.rates["class"]
    assert set(found.rates) == {"class", *MEASURES}
    assert list(rates) == list(VARIANTS)
    assert rates["three per concept"].low > rates["one per concept"].share > rates["random groups"].high
    assert rates["random samples"].low < 0.5 < rates["random samples"].high
    ink_rates = found.rates["ink"]
    assert ink_rates["three per concept"].low > ink_rates["random groups"].high
    assert done == list(range(1, 3 * len(VARIANTS) + 1))


def test_arithmetic_fails_where_they_are_not() -> None:
    rates = measure(MirrorSession(), by_chance, pool=range(400), draws=300).rates["class"]
    assert rates["three per concept"].low < 1 / 3 < rates["three per concept"].high


def test_the_same_seed_measures_the_same() -> None:
    one, same, other = (
        measure(MirrorSession(), by_first_pixel, pool=range(200), draws=50, seed=seed) for seed in (1, 1, 2)
    )
    assert one == same
    assert one.rates != other.rates


def test_examples_are_of_their_class_and_extreme() -> None:
    session = MirrorSession()
    found = measure(session, by_first_pixel, pool=range(100, 300), draws=1)
    assert set(found.examples) == {0, 1}
    for which, examples in found.examples.items():
        assert set(examples) == {"any", "ink+", "ink-", "slant+", "slant-"}
        bold, thin = (make_pool(session, examples[name], by_first_pixel) for name in ("ink+", "ink-"))
        assert set(bold.classes.tolist()) | set(thin.classes.tolist()) == {which}
        assert ink(bold.images).min() > ink(thin.images).max()


def test_a_generator_of_one_class_is_refused() -> None:
    def one_class(images: FloatArray) -> FloatArray:
        return np.tile(np.array([9, 0], np.float32), (len(images), 1))

    with pytest.raises(EdgeError, match=r"Too few classes \(1\) have 9 clear samples among 50 seeds"):
        measure(MirrorSession(), one_class, pool=range(50), draws=5)


@pytest.mark.parametrize(
    ("successes", "draws", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_wilson_intervals_are_those_of_the_tables(
    successes: int, draws: int, low: float, high: float
) -> None:
    rate = wilson(successes, draws)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-5)  # four decimals
    assert rate.share == successes / draws


def test_ink_and_slant_measure_what_they_say() -> None:
    black = np.full((1, 1, 8, 8), -1.0, np.float32)
    upright, leaning, bold = black.copy(), black.copy(), black.copy()
    upright[:, :, 1:7, 4] = 1.0
    for row in range(1, 7):
        leaning[0, 0, row, 7 - row] = 1.0  # a pixel to the right for each one upwards
    bold[:, :, 1:7, 3:5] = 1.0
    images = np.concatenate([upright, leaning, bold, black])
    assert slant(images) == pytest.approx([0.0, 1.0, 0.0, 0.0], abs=1e-6)
    assert ink(images) == pytest.approx([6 / 64, 6 / 64, 12 / 64, 0.0])


def test_classified_is_the_softmax_of_the_largest() -> None:
    logits = np.array([[0, 0], [np.log(3), 0], [1000, 0]], np.float32)
    classes, confidence = classified(np.zeros((3, 1, SIDE, SIDE), np.float32), lambda _: logits)
    assert classes[1:].tolist() == [0, 0]
    assert confidence == pytest.approx([0.5, 0.75, 1.0])
