from __future__ import annotations

import json

import numpy as np
import pytest

from dcgan_edge.errors import VerificationError
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.parity import FP16_GATE, FP32_GATE, PSNR_CEILING, compare

SEEDS = [10, 11, 12]


@pytest.fixture
def reference() -> FloatArray:
    return np.random.default_rng(0).uniform(-0.9, 0.9, (3, 1, 8, 8)).astype(np.float32)


def test_equal_images_pass_every_gate(reference: FloatArray) -> None:
    parity = compare(reference, reference.copy(), SEEDS, FP32_GATE)
    assert parity.passed
    assert (parity.max_abs, parity.grey_levels, parity.pixels_differ) == (0.0, 0, 0.0)
    assert parity.worst_psnr_db == PSNR_CEILING
    assert json.loads(json.dumps(parity.to_dict(), allow_nan=False))["verdict"] == "passed"


def test_the_figures_are_those_of_the_worst_seed(reference: FloatArray) -> None:
    candidate = reference.copy()
    candidate[1] += np.float32(0.02)
    parity = compare(reference, candidate, SEEDS, FP16_GATE)
    assert parity.worst_seed == 11
    assert parity.max_abs == pytest.approx(0.02, rel=1e-4)  # float32 at 0.9: 6e-8
    assert parity.worst_psnr_db == pytest.approx(40.0, abs=0.01)  # 10 log10(2^2 / 0.02^2)
    assert parity.grey_levels == 3  # 0.02 * 127.5 = 2.55, so 2 or 3 levels
    assert {message.split()[0] for message in parity.missed} == {"seed", "a"}
    with pytest.raises(VerificationError, match=r"x\.onnx does not match PyTorch: seed 11 has 40\.0 dB"):
        parity.raise_if_failed("x.onnx")


def test_float32_is_gated_by_its_largest_difference(reference: FloatArray) -> None:
    candidate = reference.copy()
    candidate[0, 0, 0, 0] += np.float32(2e-4)
    assert compare(reference, candidate, SEEDS, FP16_GATE).passed
    assert not compare(reference, candidate, SEEDS, FP32_GATE).passed


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["reference", "candidate"])
def test_values_that_are_not_finite_never_pass(reference: FloatArray, bad: float, side: str) -> None:
    images = {"reference": reference.copy(), "candidate": reference.copy()}
    images[side][2, 0, 3, 3] = bad
    parity = compare(images["reference"], images["candidate"], SEEDS, FP16_GATE)
    assert parity.not_finite == 1
    assert not parity.passed
    json.dumps(parity.to_dict(), allow_nan=False)
