"""The two losses of a GAN, from logits.

Source: Goodfellow et al. 2014, "Generative Adversarial Networks", arXiv:1406.2661, section 3; the generator's
is the non-saturating one. Binary cross-entropy of a logit x is softplus(-x) against 1, softplus(x) against 0.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits (n,) of real images against 1, plus that of fakes against 0."""
    return softplus(-real.float()).mean() + softplus(fake.float()).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits (n,) of generated images against 1: -log D(G(z))."""
    return softplus(-fake.float()).mean()
