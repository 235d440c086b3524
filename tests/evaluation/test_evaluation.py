"""Generators of known quality get the scores that they should."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.evaluation.evaluate import Evaluation, evaluate_generators
from dcgan_edge.evaluation.scores import Judged, Scores, difference, judge
from dcgan_edge.images import PixelArray
from tests.evaluation.reality_pieces import EXTRACTOR, PIXELS, REAL, TRAIN, KnownSession

N = 400
SEEDS = range(N)
KNOWN = {
    "real": functools.partial(KnownSession, REAL.held_out),
    "noisy": functools.partial(KnownSession, REAL.held_out, 40.0),
    "collapsed": functools.partial(KnownSession, REAL.held_out[:1]),
    "noise": functools.partial(KnownSession, REAL.held_out[:1] * 0, 127.0),
    "memorised": functools.partial(KnownSession, TRAIN),
}


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate_generators(KNOWN, "digits", EXTRACTOR, SEEDS)


@pytest.fixture(scope="module")
def scores(evaluation: Evaluation) -> dict[str, Scores]:
    return {name: judged.scores for name, judged in evaluation.judged.items()}


def test_real_digits_score_near_the_baseline(evaluation: Evaluation, scores: dict[str, Scores]) -> None:
    baseline, real = evaluation.baseline.scores, scores["real"]
    # 400 draws of 1,000 digits have some of them twice, and the real-data baseline's 400 are all different.
    assert real.fid < 3 * baseline.fid < 1.5
    assert real.kid.low < 0.0 < real.kid.high
    assert baseline.kid.low < 0.0 < baseline.kid.high
    assert min(baseline.precision, baseline.recall, real.precision, real.recall) > 0.75
    assert baseline.classes is not None
    assert (baseline.classes.covered, baseline.exact_duplicates) == (10, 0.0)
    assert baseline.classes.chi2 < 0.1


def test_noise_scores_far_worse(scores: dict[str, Scores]) -> None:
    order = [scores[name] for name in ("real", "noisy", "noise")]
    for better, worse in itertools.pairwise(order):
        assert worse.fid > 5 * better.fid
        assert worse.kid.low > better.kid.high
        assert worse.precision < better.precision
        assert worse.speckle > 1.5 * better.speckle
    assert (scores["noise"].precision, scores["noise"].recall) == (0.0, 0.0)


def test_a_collapsed_generator_is_reported_as_collapsed(scores: dict[str, Scores]) -> None:
    collapsed = scores["collapsed"]
    assert collapsed.classes is not None
    assert (collapsed.classes.covered, collapsed.classes.entropy) == (1, 0.0)
    assert collapsed.exact_duplicates == 1 - 1 / N
    assert collapsed.near_duplicates == 1.0
    assert collapsed.recall == 0.0
    assert collapsed.fid > 50


def test_a_generator_that_only_copies_is_found_out(evaluation: Evaluation, scores: dict[str, Scores]) -> None:
    """Its FID is as good as can be."""
    assert scores["memorised"].fid < 1.5 * evaluation.baseline.scores.fid
    assert scores["memorised"].copies == 1.0
    assert scores["memorised"].nearest == pytest.approx(0.0, abs=1e-3)
    assert evaluation.baseline.scores.copies < 0.05
    judged = evaluation.judged["memorised"]
    np.testing.assert_array_equal(judged.pixels, judged.neighbours.images)


def blurred(radius: float) -> PixelArray:
    pictures = (Image.fromarray(image[0]) for image in REAL.held_out[:N])
    return np.stack([np.asarray(p.filter(ImageFilter.GaussianBlur(radius)))[None] for p in pictures])


def test_the_more_damage_the_worse_the_scores(evaluation: Evaluation) -> None:
    """Blur and salt, in three steps each. Blur loses what is rare, salt makes what is not real."""
    chance = np.random.default_rng(0).random(REAL.held_out[:N].shape)
    salted = [
        np.where(chance < share, 255, REAL.held_out[:N]).astype(np.uint8) for share in (0.01, 0.03, 0.1)
    ]
    for lost, damaged in (("recall", [blurred(radius) for radius in (0.5, 1.0, 2.0)]), ("precision", salted)):
        found = [judge(pixels, evaluation.reference).scores for pixels in (REAL.held_out[:N], *damaged)]
        for better, worse in itertools.pairwise(found):
            assert worse.fid > 1.5 * better.fid
            assert worse.kid.value > better.kid.value
            assert getattr(worse, lost) < getattr(better, lost)


def test_differences_are_to_the_first_on_the_same_seeds(evaluation: Evaluation) -> None:
    assert list(evaluation.differences) == ["noisy", "collapsed", "noise", "memorised"]
    noisy = evaluation.differences["noisy"]
    real = evaluation.judged["real"].scores
    assert noisy.fid == evaluation.judged["noisy"].scores.fid - real.fid
    assert noisy.grey_levels > 100
    assert noisy.changed_class is not None
    assert 0.0 < noisy.changed_class < 0.9


def test_one_grey_level_is_a_small_and_certain_cost(evaluation: Evaluation) -> None:
    base = evaluation.judged["real"]
    brighter = np.minimum(base.pixels, 254) + np.uint8(1)
    found = difference(judge(brighter, evaluation.reference), base)
    assert (found.grey_levels, found.changed_class) == (1, 0.0)
    width = base.scores.kid.high - base.scores.kid.low
    assert found.kid.high - found.kid.low < 0.2 * width


def test_sessions_are_closed_and_the_document_is_whole(evaluation: Evaluation) -> None:
    session = KnownSession(REAL.held_out)
    found = evaluate_generators({"one": lambda: session}, "digits", EXTRACTOR, [*range(50), 7])
    assert session.is_closed
    document = found.to_dict()
    assert (document["n"], document["seeds"], document["real_images"]) == (50, [0, 49], 7000)
    assert document["inputs"]["one"]["sha256"] == session.manifest.sha256
    assert set(document["baseline"]["kid"]) == {"value", "low", "high"}
    assert document["features"]["sha256"] == EXTRACTOR.facts["sha256"]
    assert found.differences == {}
    assert list(evaluation.class_shares()) == ["real images", *KNOWN]


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 50 images; here are 49 seeds"):
        evaluate_generators(KNOWN, "digits", EXTRACTOR, range(49))
    large = KnownSession(np.zeros((1, 1, 32, 32), np.uint8))
    large.run = lambda latents: np.zeros((len(latents), 1, 32, 32), np.float32)  # type: ignore[method-assign]
    with pytest.raises(UsageError, match=r"one shape.*28x28.*32x32"):
        evaluate_generators({"a": KNOWN["real"], "b": lambda: large}, "digits", EXTRACTOR, range(50))
    broken = KnownSession(REAL.held_out, float("nan"))
    with pytest.raises(EdgeError, match="NaN"):
        evaluate_generators({"broken": lambda: broken}, "digits", EXTRACTOR, range(50))


def test_the_baseline_has_as_many_images_as_there_are(evaluation: Evaluation) -> None:
    assert evaluation.baseline.scores.n == N
    many = evaluate_generators({"real": KNOWN["real"]}, "digits", EXTRACTOR, range(1100))
    judged: Judged = many.judged["real"]
    assert (many.baseline.scores.n, judged.scores.n, PIXELS.size) == (1000, 1100, 28)
