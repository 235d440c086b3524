"""How a run is, in a few figures of a step that was just taken. `monitor` judges them.

Everything is read off the step: its logits, its gradients, the images it made and the real ones it saw. No
network is run but the classifier, no random number is drawn, so that training is the same, bit for bit,
whether it is monitored or not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dcgan_edge.classes import digits_of
from dcgan_edge.entropy import entropy_bits
from dcgan_edge.latents import FloatArray
from dcgan_edge.training.state import TrainState
from dcgan_edge.training.steps import StepOutcome, to_network

Classify = Callable[[FloatArray], FloatArray]  # images (n, c, h, w) in [-1, 1] -> logits (n, classes)
Signs = dict[str, float | None]
MOST_IMAGES = 64  # compared with each other: 2,016 pairs, of which the mean is steady to a percent


def vital_signs(state: TrainState, pixels: Tensor, outcome: StepOutcome) -> Signs:
    """Return the figures of the step on `pixels` uint8 (batch, channels, size, size) that had `outcome`.

    `real_accuracy` and `fake_accuracy`: the share of real images that the discriminator took for real, and of
    generated ones that it took for generated. `grad_norm_d` and `grad_norm_g`: the length of all gradients of
    a network as one vector, None where it is not finite. `diversity`: the mean Euclidean distance between two
    generated images over that between two real ones, both of one class where there are classes; 1 if they
    differ as real ones do, None if no real ones differ.

    Odena et al. 2017, arXiv:1610.09585, section 4.2, compare pairs of generated images with pairs of real
    ones likewise, by MS-SSIM, which needs images larger than ours.
    """
    device = outcome.generated.device
    real = _distance(to_network(pixels[:MOST_IMAGES].to(device)), outcome.labels)
    made = _distance(outcome.generated[:MOST_IMAGES], outcome.labels)
    return {
        "real_accuracy": float((outcome.real_logits > 0).float().mean()),
        "fake_accuracy": float((outcome.fake_logits < 0).float().mean()),
        "grad_norm_d": gradient_norm(state.discriminator),
        "grad_norm_g": gradient_norm(state.generator),
        "diversity": made / real if real > 0 else None,
    }


def class_figures(
    pixels: Tensor, outcome: StepOutcome, classify: Classify, names: Sequence[str] = ()
) -> Signs:
    """Return `class_entropy` of the images that the step made, and `real_class_entropy` of the real ones.

    Each is the entropy in bits of the shares of the classes that `classify` finds, as in `dcgan-edge eval`;
    64 images of ten classes equally often come to 3.2 on average, a single class to 0.

    If the `names` of the run's classes are those of digits, `class_agreement` is there too: the share of the
    images made that `classify` takes for the class that they were asked to be.
    """
    images = (outcome.generated[:MOST_IMAGES].float().cpu(), to_network(pixels[:MOST_IMAGES].cpu()))
    verdicts = [classify(np.ascontiguousarray(each.numpy())) for each in images]
    figures: Signs = dict(zip(("class_entropy", "real_class_entropy"), map(_entropy, verdicts), strict=True))
    digits = digits_of(names)
    if digits is not None and outcome.labels is not None:
        asked = np.asarray(digits)[outcome.labels[:MOST_IMAGES].cpu().numpy()]
        figures["class_agreement"] = float((verdicts[0].argmax(axis=1) == asked).mean())
    return figures


def gradient_norm(network: nn.Module) -> float | None:
    """Return the Euclidean norm of all gradients of `network`, 0 without any; None unless it is finite."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    if not gradients:
        return 0.0
    norms = torch.stack(list(torch._foreach_norm(gradients))).double()
    norm = float(norms.square().sum().sqrt())
    return norm if math.isfinite(norm) else None


def _distance(images: Tensor, labels: Tensor | None) -> float:
    """The mean Euclidean distance between two of `images` (n, c, h, w), n from 2, on a scale of its own; if
    there are `labels`, between two of one class, 0 where no two are.
    """
    distances = torch.pdist(images.float().flatten(1))
    if labels is None:
        return float(distances.mean())
    kinds = labels[: len(images)].to(images.device)
    one, other = torch.triu_indices(len(kinds), len(kinds), 1, device=images.device)
    same = distances[kinds[one] == kinds[other]]
    return float(same.mean()) if len(same) else 0.0


def _entropy(verdicts: FloatArray) -> float:
    shares = np.bincount(verdicts.argmax(axis=1)) / len(verdicts)
    return entropy_bits(shares)
