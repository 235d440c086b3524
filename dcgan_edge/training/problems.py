"""What can go wrong with a GAN while it trains: by which figures it is told, and what to try.

Pure rules on the medians that `monitor` takes over the last lines. Every threshold is named, with its reason;
"healthy runs" are those of `dcgan` and `gan` on the bundled digits, at widths from 8 to 64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SURE = 0.99  # accuracy of a discriminator that errs on one image in a batch of 128 or none
SWAMPED = 7.0  # generator loss: -log of 0.1 %; the medians of healthy runs stay below 5.5, 2 with a hinge
UNSWAMPED = 6.0
BLIND_GAP = 0.01  # of the mean scores, real less generated; the medians of healthy runs stay above 0.1
SEEING_GAP = 0.03
CHANCE = 0.55  # accuracy; 0.5 is guessing, and a batch of 128 strays by 0.04
FAINT = 1e-3  # gradient norm; healthy runs lie between 0.3 and 400
FELT = 1e-2
LEARNING = 0.1  # gradient norm of a discriminator; healthy runs with a hinge stay above 0.8
VIOLENT = 1e4  # gradient norm; 25 times the largest single one of healthy runs
CALM = 3e3
ALIKE = 0.1  # diversity: all images are nearly one image
NARROW = 0.5  # diversity: a single digit drawn in all its real variety comes to 0.5 to 0.9
VARIED = 0.65
FEW_CLASSES = 0.5  # of the entropy of real images: of ten classes evenly made, three are left
MANY_CLASSES = 0.65
PATIENCE = 300  # lines without ever having varied; `dcgan` takes about 25, `gan` 140


@dataclass(frozen=True)
class Medians:
    """Hold medians of the last lines; None where a figure was not there often enough.
    `lines` counts from the start.

    `accuracy` is the mean of both, `score_gap` the mean score of real images less that of generated ones.
    `diversity` and `class_share` are relative to real images; `has_varied` and `has_mixed` tell whether
    either was once well. `not_finite` names the networks one of whose gradients was not.
    """

    lines: int
    accuracy: float | None = None
    score_gap: float | None = None
    loss_g: float | None = None
    grad_norm_d: float | None = None
    grad_norm_g: float | None = None
    diversity: float | None = None
    class_share: float | None = None
    has_varied: bool = False
    has_mixed: bool = False
    not_finite: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """`begins` and `ends` are not each other's opposites: between them a problem stays as it is. Both are
    False where the figures are missing. `seen` says what is seen when it begins, `over` when it ends.
    """

    name: str
    begins: Callable[[Medians], bool]
    ends: Callable[[Medians], bool]
    seen: Callable[[Medians], str]
    over: Callable[[Medians], str]
    advice: str


def _wins(now: Medians) -> bool:
    """A hinge keeps the generator's loss small, and leaves a discriminator that wins nothing to learn."""
    if now.loss_g is None or not _over(now.accuracy, SURE):
        return False
    return now.loss_g >= SWAMPED or _under(now.grad_norm_d, FELT)


def _wins_no_more(now: Medians) -> bool:
    is_learning = now.grad_norm_d is None or now.grad_norm_d >= LEARNING
    return _under(now.accuracy, SURE) or (_under(now.loss_g, UNSWAMPED) and is_learning)


def _is_lost(now: Medians) -> bool:
    return _under(now.accuracy, CHANCE) and _under(now.score_gap, BLIND_GAP) and _under(now.grad_norm_d, FELT)


def _collapsed(now: Medians) -> bool:
    return _under(now.diversity, NARROW if _is_due(now, now.has_varied) else ALIKE)


def _lost_classes(now: Medians) -> bool:
    return _is_due(now, now.has_mixed) and _under(now.class_share, FEW_CLASSES)


def _is_due(now: Medians, has_been_well: bool) -> bool:
    """A generator that has not learnt to vary yet is given time; one that has forgotten it is not."""
    return has_been_well or now.lines >= PATIENCE


def _norms(now: Medians) -> list[float]:
    return [norm for norm in (now.grad_norm_d, now.grad_norm_g) if norm is not None]


def _is_violent(now: Medians) -> bool:
    return bool(now.not_finite) or any(norm > VIOLENT for norm in _norms(now))


def _violence(now: Medians) -> str:
    if now.not_finite:
        return f"A gradient of the {' and of the '.join(now.not_finite)} is not finite."
    return f"The largest gradient norm of the two networks is {max(_norms(now)):,.0f}."


def _over(value: float | None, threshold: float) -> bool:
    return value is not None and value >= threshold


def _under(value: float | None, threshold: float) -> bool:
    return value is not None and value < threshold


PROBLEMS = (
    Problem(
        "mode collapse",
        _collapsed,
        lambda now: _over(now.diversity, VARIED),
        lambda now: (
            f"Generated images differ from each other {now.diversity:.2f} times as much as real ones do."
        ),
        lambda now: f"Generated images differ {now.diversity:.2f} times as much as real ones again.",
        "Look at the grid of samples; begin anew with another --seed, a larger --batch, which shows the "
        "discriminator more images at once, or a larger --latent-dim.",
    ),
    Problem(
        "mode collapse (classes)",
        _lost_classes,
        lambda now: _over(now.class_share, MANY_CLASSES),
        lambda now: (
            f"The classes of generated images have {now.class_share:.0%} of the entropy of real ones."
        ),
        lambda now: f"The entropy of the classes is {now.class_share:.0%} of that of real images again.",
        "Some classes are hardly made: train longer if the entropy is rising, else try a larger --batch, "
        "another --seed or --arch dcgan.",
    ),
    Problem(
        "discriminator wins",
        _wins,
        _wins_no_more,
        lambda now: (
            f"The discriminator is right about {now.accuracy:.1%} of the images, and the generator's loss is "
            f"{now.loss_g:.1f}."
        ),
        lambda now: (
            f"The discriminator is right about {now.accuracy:.1%} of the images; the generator's loss is "
            f"{now.loss_g:.1f}."
        ),
        "The generator learns little from a judge that is never wrong: use more images, a larger --batch, a "
        "smaller --width or a lower --learning-rate.",
    ),
    Problem(
        "discriminator lost",
        _is_lost,
        lambda now: _over(now.score_gap, SEEING_GAP) or _over(now.grad_norm_d, FELT),
        lambda now: (
            f"The discriminator is right about {now.accuracy:.0%} of the images, as by guessing, and its "
            f"gradient norm is {now.grad_norm_d:.1g}."
        ),
        lambda now: f"The discriminator learns again: its gradient norm is {now.grad_norm_d:.2g}.",
        "It has stopped to learn, and the generator with it: begin anew with another --seed or a larger "
        "--width; go on only if the samples are good already.",
    ),
    Problem(
        "gradients explode",
        _is_violent,
        lambda now: not now.not_finite and bool(_norms(now)) and max(_norms(now)) < CALM,
        _violence,
        lambda now: f"The largest gradient norm is {max(_norms(now)):,.0f} again.",
        "Begin anew with a larger --batch, --precision fp32 or a lower --learning-rate.",
    ),
    Problem(
        "gradients vanish",
        lambda now: _under(now.grad_norm_g, FAINT),
        lambda now: _over(now.grad_norm_g, FELT),
        lambda now: f"The gradient norm of the generator is {now.grad_norm_g:.1g}: it does not learn.",
        lambda now: f"The gradient norm of the generator is {now.grad_norm_g:.2g} again.",
        "Begin anew with another --seed; if it comes back, with another --arch or a lower --learning-rate.",
    ),
)
