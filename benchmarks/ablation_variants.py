"""The recipes that the ablation compares: `sn-hinge` with one thing changed, and how that is trained.

What is a setting of a recipe goes through the steps of `dcgan-edge train`. What lost and therefore is no
setting (other losses, R1, rates that differ, augmentation) is here.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softplus
from torch.nn.utils import parametrize
from torch.optim import Adam

from dcgan_edge.artifact import Architecture
from dcgan_edge.data.digits import load_digits
from dcgan_edge.models import build_discriminator
from dcgan_edge.recipes import RECIPES, Recipe
from dcgan_edge.training.config import TrainConfig
from dcgan_edge.training.ema import measure_statistics, statistics_latents, update_average
from dcgan_edge.training.losses import discriminator_loss, generator_loss
from dcgan_edge.training.schedule import learning_rate
from dcgan_edge.training.state import TrainState, new_state
from dcgan_edge.training.steps import draw_latents, to_network, train_step

ARCHITECTURE = Architecture("dcgan", 28, 1, width=32)  # the demo's
BASE = RECIPES["sn-hinge"]
CPU = torch.device("cpu")
SHIFT = 8  # translation by up to a part of the side, as in DiffAugment, arXiv:2006.10738, section 3.2


@dataclass(frozen=True)
class Variant:
    """What is changed (`axis`) and to what (`setting`); `recipe` and the rest say how.

    `other_loss` stands in the place of the recipe's, `penalty` is the weight of R1 (Mescheder et al. 2018,
    arXiv:1801.04406, equation 9), `unnormalised` takes the spectral norms away. `rate_d` multiplies the
    discriminator's learning rate, `width_d` is its width. `cosine` bends the decay. `translates` augments;
    `images` is the number of training images, None for all.
    """

    axis: str
    setting: str
    recipe: Recipe = BASE
    other_loss: Literal["least squares", "relativistic"] | None = None
    penalty: float = 0.0
    unnormalised: bool = False
    rate_d: float = 1.0
    width_d: int = ARCHITECTURE.width
    cosine: bool = False
    translates: bool = False
    images: int | None = None

    @property
    def name(self) -> str:
        """Return what names it in tables and results."""
        return f"{self.axis}: {self.setting}"


def _changed(axis: str, setting: str, **changes: Any) -> Variant:
    return Variant(axis, setting, dataclasses.replace(BASE, **changes))


VARIANTS = (
    Variant("recipe", BASE.recipe),
    Variant("recipe", "paper", RECIPES["paper"]),
    _changed("normalisation", "BatchNorm", normalisation="batch"),
    Variant("normalisation", "none, R1 of weight 1", penalty=1.0, unnormalised=True),
    _changed("loss", "cross-entropy: the default", loss="cross-entropy"),
    Variant("loss", "least squares", other_loss="least squares"),
    Variant("loss", "relativistic", other_loss="relativistic"),
    _changed("Adam's betas", "0.5, 0.999", beta1=0.5, beta2=0.999),
    _changed("Adam's betas", "0, 0.99", beta2=0.99),
    _changed("learning rate", "8e-4", learning_rate=8e-4),
    _changed("learning rate", "5e-3", learning_rate=5e-3),
    Variant("learning rate", "1e-3 of the discriminator", rate_d=0.4),
    Variant(
        "learning rate",
        "6e-4, four times that of the discriminator",
        dataclasses.replace(BASE, learning_rate=6e-4),
        rate_d=4.0,
    ),
    _changed("decay", "none", decay_from=1.0),
    _changed("decay", "from the start", decay_from=0.0),
    _changed("decay", "over the last half", decay_from=0.5),
    Variant("decay", "cosine", cosine=True),
    _changed("batch", "32", batch=32),
    _changed("batch", "128", batch=128),
    _changed("discriminator", "no extra convolution", extra_convolutions=0),
    _changed("discriminator", "two extra convolutions", extra_convolutions=2),
    Variant("discriminator", "width 24", width_d=24),
    Variant("discriminator", "width 48", width_d=48),
    Variant("augmentation", "translation", translates=True),
    _changed("average", "decay 0.99", ema_decay=0.99),
    _changed("average", "none", ema_decay=0.0),
    Variant("700 images", "as they are", images=700),
    Variant("700 images", "translation", images=700, translates=True),
)


def begin(variant: Variant, seed: int) -> TrainState:
    """Return the fresh networks and optimisers of `variant`."""
    torch.manual_seed(seed)
    recipe = variant.recipe
    state = new_state(TrainConfig(ARCHITECTURE, epochs=1, **dataclasses.asdict(recipe)), CPU)
    if variant.width_d != ARCHITECTURE.width or variant.unnormalised:
        network = build_discriminator(
            dataclasses.replace(ARCHITECTURE, width=variant.width_d), recipe.discriminator
        )
        for module in list(network.modules()) if variant.unnormalised else []:
            if parametrize.is_parametrized(module, "weight"):
                parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
        state.discriminator = network
        betas = recipe.beta1, recipe.beta2
        state.discriminator_adam = Adam(network.parameters(), recipe.learning_rate, betas, fused=True)
    return state


def train(variant: Variant, *, steps: int, seed: int) -> nn.Module:
    """Return the averaged generator after `steps` steps of `variant`, ready for use."""
    state = begin(variant, seed)
    for step, pixels in zip(range(steps), batches(variant, seed), strict=False):
        step_of(variant, state, pixels, step / steps)
    measure_statistics(state.average, statistics_latents(ARCHITECTURE))
    return state.average


def seconds_per_step(variants: tuple[Variant, ...], *, rounds: int, steps: int) -> list[float]:
    """Return the CPU time of a step of each of `variants`, in alternating rounds: others may be at work."""
    runs = [(variant, begin(variant, 0), batches(variant, 0), [0.0]) for variant in variants]
    for number in range(rounds + 1):
        for variant, state, pixels, spent in runs:
            begun = time.process_time()
            for _ in range(steps):
                step_of(variant, state, next(pixels), 0.0)
            spent[0] += (time.process_time() - begun) if number else 0.0  # the first round warms up
    return [spent[0] / (rounds * steps) for *_, spent in runs]


def batches(variant: Variant, seed: int) -> Iterator[Tensor]:
    """Yield batches of training images, uint8 (batch, 1, 28, 28), in an order that `seed` decides."""
    images = torch.tensor(load_digits("train")[0][: variant.images, None])
    random = np.random.Generator(np.random.PCG64(seed))
    batch = variant.recipe.batch
    while True:
        order = torch.from_numpy(random.permutation(len(images)))
        for start in range(0, len(order) - batch + 1, batch):
            yield images[order[start : start + batch]]


def step_of(variant: Variant, state: TrainState, pixels: Tensor, fraction: float) -> None:
    """Take one step of `variant`, where `fraction` of the budget is used."""
    rate = learning_rate(variant.recipe, fraction) or variant.recipe.learning_rate
    if variant.cosine:
        rate = variant.recipe.learning_rate * _cosine(fraction, variant.recipe.decay_from)
    state.set_learning_rate(rate)
    if variant.rate_d != 1.0:
        state.discriminator_adam.param_groups[0]["lr"] = rate * variant.rate_d
    if variant.other_loss or variant.penalty or variant.translates:
        other_step(variant, state, pixels)
    else:
        train_step(state, pixels, variant.recipe, bf16=False)


def other_step(variant: Variant, state: TrainState, pixels: Tensor) -> None:
    """Take a step that the recipes have no settings for; without any of these it is `train_step`'s."""
    generator, discriminator = state.generator, state.discriminator
    altered: Callable[[Tensor], Tensor] = translated if variant.translates else lambda images: images
    real = to_network(pixels)
    fake = generator(draw_latents(len(real), state.architecture, CPU))
    loss_d = _loss_d(variant, discriminator(altered(real)), discriminator(altered(fake.detach())))
    if variant.penalty:
        loss_d = loss_d + variant.penalty / 2 * _squared_gradient(discriminator, real)
    state.discriminator_adam.zero_grad()
    torch.autograd.backward(loss_d)
    state.discriminator_adam.step()

    discriminator.requires_grad_(False)
    judged = discriminator(altered(fake))
    against = discriminator(altered(real)) if variant.other_loss == "relativistic" else None
    state.generator_adam.zero_grad()
    torch.autograd.backward(_loss_g(variant, judged, against))
    state.generator_adam.step()
    discriminator.requires_grad_(True)
    state.step += 1
    update_average(state.average, generator, step=state.step, decay=variant.recipe.ema_decay)


def translated(images: Tensor) -> Tensor:
    """Shift each of `images` (n, c, h, w) by up to 1/SHIFT of its side, and fill with black."""
    count, _, side, _ = images.shape
    most = side // SHIFT
    padded = pad(images, (most, most, most, most), value=-1.0)
    down, right = torch.randint(0, 2 * most + 1, (2, count, 1))
    places = torch.arange(side)
    rows, columns = (down + places)[:, :, None], (right + places)[:, None, :]
    return padded[torch.arange(count)[:, None, None], :, rows, columns].permute(0, 3, 1, 2)


def _loss_d(variant: Variant, real: Tensor, fake: Tensor) -> Tensor:
    """The losses of Mao et al. 2017, arXiv:1611.04076, and Jolicoeur-Martineau 2018, arXiv:1807.00734."""
    if variant.other_loss == "least squares":
        return (real - 1.0).square().mean() + fake.square().mean()
    if variant.other_loss == "relativistic":
        return softplus(fake - real).mean()
    return discriminator_loss(variant.recipe.loss, real, fake)


def _loss_g(variant: Variant, fake: Tensor, real: Tensor | None) -> Tensor:
    if variant.other_loss == "least squares":
        return (fake - 1.0).square().mean()
    if real is not None:
        return softplus(real - fake).mean()
    return generator_loss(variant.recipe.loss, fake)


def _squared_gradient(discriminator: nn.Module, real: Tensor) -> Tensor:
    images = real.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()


def _cosine(fraction: float, start: float) -> float:
    done = max(0.0, fraction - start) / (1.0 - start)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
