"""The losses against their definition."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from dcgan_edge.recipes import Loss
from dcgan_edge.training.losses import discriminator_loss, generator_loss

REAL, FAKE = torch.linspace(-6, 6, 13), torch.linspace(-5, 7, 13)
EACH = pytest.mark.parametrize("loss", get_args(Loss))


def test_cross_entropy_is_binary_cross_entropy() -> None:
    real = binary_cross_entropy_with_logits(REAL, torch.ones(13))
    fake = binary_cross_entropy_with_logits(FAKE, torch.zeros(13))
    # the same formula in another order of operations: a few float32 roundings
    torch.testing.assert_close(
        discriminator_loss("cross-entropy", REAL, FAKE), real + fake, atol=1e-6, rtol=0
    )
    fooled = binary_cross_entropy_with_logits(FAKE, torch.ones(13))
    torch.testing.assert_close(generator_loss("cross-entropy", FAKE), fooled, atol=1e-6, rtol=0)


def test_an_undecided_discriminator_loses_log_4() -> None:
    """Goodfellow et al. 2014, theorem 1: -log 4 is the value at the optimum."""
    even = torch.zeros(4)
    assert math.isclose(discriminator_loss("cross-entropy", even, even).item(), math.log(4), rel_tol=1e-6)
    assert math.isclose(generator_loss("cross-entropy", even).item(), math.log(2), rel_tol=1e-6)


def test_a_hinge_asks_for_a_margin_and_for_no_more() -> None:
    """Miyato et al. 2018, equations 16 and 17, at logits whose losses can be told by heart."""
    real, fake = torch.tensor([2.0, 1.0, 0.0, -1.0]), torch.tensor([-3.0, -1.0, 0.0, 2.0])
    assert discriminator_loss("hinge", real, fake).item() == (0 + 0 + 1 + 2) / 4 + (0 + 0 + 1 + 3) / 4
    assert generator_loss("hinge", fake).item() == (3 + 1 + 0 - 2) / 4


@EACH
def test_the_generators_gradient_does_not_vanish_where_it_loses(loss: Loss) -> None:
    """What "non-saturating" means: against a sure discriminator the gradient is -1 per image."""
    logits = torch.full((1,), -80.0, requires_grad=True)
    torch.autograd.backward(generator_loss(loss, logits))
    assert logits.grad is not None
    assert logits.grad.item() == -1.0


@EACH
def test_large_logits_stay_finite_in_any_precision(loss: Loss) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        logits = torch.tensor([1e4, -1e4], dtype=dtype)
        assert torch.isfinite(discriminator_loss(loss, logits, logits))
        assert discriminator_loss(loss, logits, logits).dtype == torch.float32
