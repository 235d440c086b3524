"""The two losses of a GAN, from logits.

"cross-entropy": Goodfellow et al. 2014, "Generative Adversarial Networks", arXiv:1406.2661, section 3; the
generator's is the non-saturating one. Binary cross-entropy of a logit x is softplus(-x) against 1,
softplus(x) against 0. "hinge": Lim and Ye 2017, "Geometric GAN", arXiv:1705.02894, section 3.2; Miyato et al.
2018, arXiv:1802.05957, equations 16 and 17.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu, softplus

from dcgan_edge.recipes import Loss


def discriminator_loss(loss: Loss, real: Tensor, fake: Tensor) -> Tensor:
    """Return the mean `loss` of logits (n,) of real images, plus that of logits (m,) of generated ones.

    Cross-entropy is against 1 and 0. A hinge is 0 for real images above 1 and for generated ones below -1.
    """
    if loss == "hinge":
        return relu(1.0 - real.float()).mean() + relu(1.0 + fake.float()).mean()
    return softplus(-real.float()).mean() + softplus(fake.float()).mean()


def generator_loss(loss: Loss, fake: Tensor) -> Tensor:
    """Return the generator's mean loss of logits (n,) of its images: -log D(G(z)), with a hinge -D(G(z))."""
    return -fake.float().mean() if loss == "hinge" else softplus(-fake.float()).mean()
