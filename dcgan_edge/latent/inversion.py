"""From images to latents: gradient descent on the latent until the generator draws the image.

Everything that restores an image stands on this. Starts are the best of a pool of samples, several for each
image; all descend together, as one batch, and none sees another, for the networks are in eval mode.

Sources: Yeh et al. 2016, "Semantic Image Inpainting with Deep Generative Models", arXiv:1607.07539 (weighted
context loss, prior loss, Adam, latents kept in their range). Starts from a pool, a learning rate that falls
as a cosine, and the ball for normal latents are ours.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dcgan_edge.artifact import Architecture
from dcgan_edge.classes import one_class
from dcgan_edge.files import StrPath
from dcgan_edge.latent.plan import SearchPlan
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.models.network import Generator
from dcgan_edge.training.allocator import keep_freed_memory
from dcgan_edge.training.checkpoint import load_discriminator, load_generator
from dcgan_edge.training.precision import resolve_device

Distance = Callable[[Tensor, Tensor], Tensor]  # images (b, c, h, w), places of their targets (b,) -> (b,)
LAST_RATE = 0.01  # of the first learning rate


@dataclass(frozen=True)
class Networks:
    """Both networks of a checkpoint on one device, frozen, in eval mode."""

    generator: nn.Module
    discriminator: nn.Module
    architecture: Architecture
    device: torch.device


@dataclass(frozen=True)
class Inversion:
    """For each of n images its r solutions, best first: latents (n, r, dim, 1, 1), images (n, r, c, h, w),
    and losses (n, r) at the start and at the end.
    """

    latents: FloatArray
    images: FloatArray
    first_losses: FloatArray
    losses: FloatArray

    @property
    def best(self) -> FloatArray:
        """Return the image of the best solution of each target, (n, c, h, w)."""
        return self.images[:, 0]

    @property
    def average(self) -> FloatArray:
        """Return the mean of the solutions: blurred where they differ, nearer to the truth in squares."""
        return np.asarray(self.images.mean(axis=1), np.float32)


def load_networks(checkpoint: StrPath, device: str = "cpu", class_name: str | None = None) -> Networks:
    """Load the averaged generator and the discriminator of `checkpoint` onto `device` (auto, cpu, cuda:1).

    Conditional ones are held to the class `class_name`, and are then networks like others. Raises what
    `load_generator` raises, UsageError for a class that is not there or none where one is needed, and
    UnavailableError for a device that is not here.
    """
    checkpoint = Path(checkpoint)
    place = resolve_device(device)
    generator, spec = load_generator(checkpoint)
    architecture = spec.architecture
    discriminator, _ = load_discriminator(checkpoint)
    number = one_class(architecture, class_name)
    if number is not None:
        weights = torch.zeros(len(architecture.classes)).index_fill_(0, torch.tensor(number), 1.0)
        generator, discriminator = _OfOneClass(generator, weights), _OfOneClass(discriminator, weights)
        architecture = dataclasses.replace(architecture, classes=())
    return Networks(generator.to(place), discriminator.to(place), architecture, place)


class _OfOneClass(nn.Module):
    """A generator or discriminator held to the class of `weights`."""

    def __init__(self, network: nn.Module, weights: Tensor) -> None:
        super().__init__()
        self.network, self.is_generator = network, isinstance(network, Generator)
        self.register_buffer("weights", weights)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the network makes of latents (n, latent_dim, 1, 1), or of images, of its class."""
        classes = self.get_buffer("weights").expand(len(inputs), -1)
        if not self.is_generator:
            judged: Tensor = self.network(inputs, classes)
            return judged
        made: Tensor = self.network(torch.cat([inputs, classes[:, :, None, None]], dim=1))
        return made


def invert_images(
    networks: Networks,
    images: FloatArray,
    weights: FloatArray,
    plan: SearchPlan,
    *,
    progress: Callable[[int], None] | None = None,
) -> Inversion:
    """Find latents whose images come near to `images` (n, c, h, w) where `weights` (h, w) are high.

    The loss is the weighted sum of absolute (l1) or squared (l2) differences over the pixels, plus
    lambda log(1 - D(G(z))). `progress` is told the optimisation steps done, `step_count` of them in all.
    """
    targets = torch.from_numpy(images).to(networks.device)
    share = torch.from_numpy(weights).to(networks.device)

    def distance(made: Tensor, places: Tensor) -> Tensor:
        gap = made - targets[places]
        return (share * (gap.abs() if plan.loss == "l1" else gap.square())).flatten(1).sum(1)

    return descend(networks, distance, len(images), plan, progress=progress)


def step_count(images: int, plan: SearchPlan) -> int:
    """Return the steps of Adam that `images` images take: `plan.steps` for each batch of latents."""
    return plan.steps * math.ceil(images / _images_at_once(plan))


def descend(
    networks: Networks,
    distance: Distance,
    count: int,
    plan: SearchPlan,
    *,
    progress: Callable[[int], None] | None = None,
) -> Inversion:
    """Minimise `distance` to each of `count` targets, plus the prior, over latents.

    `progress` is told the steps done, `step_count(count, plan)` of them in all.
    """
    if networks.device.type == "cpu":
        keep_freed_memory()
    pool, samples = _make_pool(networks, plan)
    at_once = _images_at_once(plan)
    done = itertools.count(1)

    def tick() -> None:
        if progress is not None:
            progress(next(done))

    parts = []
    for start in range(0, count, at_once):
        places = torch.arange(start, min(start + at_once, count), device=networks.device)
        starts = _best_starts(pool, samples, distance, places, plan)
        parts.append(_descend_batch(networks, distance, places, starts, plan, tick))
    return Inversion(*(torch.cat(tensors).cpu().numpy() for tensors in zip(*parts, strict=True)))


def nearest_samples(networks: Networks, distance: Distance, count: int, plan: SearchPlan) -> FloatArray:
    """Return for each of `count` targets the nearest sample of the plan's pool, (count, c, h, w)."""
    _, samples = _make_pool(networks, plan)
    found = []
    with torch.no_grad():
        for place in torch.arange(count, device=networks.device):
            found.append(samples[_ranking(samples, distance, place, plan)[0]])
    nearest: FloatArray = torch.stack(found).cpu().numpy()
    return nearest


def _images_at_once(plan: SearchPlan) -> int:
    return max(1, plan.batch // plan.restarts)


def _make_pool(networks: Networks, plan: SearchPlan) -> tuple[Tensor, Tensor]:
    """The latents of the pool's seeds, and their images."""
    architecture = networks.architecture
    seeds = range(plan.seed, plan.seed + plan.pool)
    z = torch.from_numpy(latents(seeds, architecture.latent_dim, architecture.distribution))
    z = z.to(networks.device)
    with torch.no_grad():
        return z, torch.cat([networks.generator(part) for part in torch.split(z, plan.batch)])


def _best_starts(
    pool: Tensor, samples: Tensor, distance: Distance, places: Tensor, plan: SearchPlan
) -> Tensor:
    """(images * restarts, dim, 1, 1): for each place the latents of the nearest samples."""
    with torch.no_grad():
        return torch.cat(
            [pool[_ranking(samples, distance, place, plan)[: plan.restarts]] for place in places]
        )


def _ranking(samples: Tensor, distance: Distance, place: Tensor, plan: SearchPlan) -> Tensor:
    """Places in the pool, nearest to target `place` first."""
    parts = [distance(part, place.expand(len(part))) for part in torch.split(samples, plan.batch)]
    return torch.cat(parts).argsort()


def _descend_batch(
    networks: Networks,
    distance: Distance,
    places: Tensor,
    starts: Tensor,
    plan: SearchPlan,
    tick: Callable[[], None],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latents, images, first and last losses of one batch, each (images, restarts, ...), best first."""
    rows = places.repeat_interleave(plan.restarts)
    z = starts.clone().requires_grad_(True)
    adam = torch.optim.Adam([z], plan.learning_rate)

    def evaluate() -> tuple[Tensor, Tensor]:
        images = networks.generator(z)
        losses = distance(images, rows)
        if plan.prior > 0.0:  # log(1 - sigmoid(logit)) is -softplus(logit)
            losses = losses - plan.prior * functional.softplus(networks.discriminator(images))
        return images, losses

    with torch.no_grad():
        _, first = evaluate()
    for step in range(plan.steps):
        fall = 0.5 * (1.0 + math.cos(math.pi * step / plan.steps))
        adam.param_groups[0]["lr"] = plan.learning_rate * max(fall, LAST_RATE)
        adam.zero_grad()
        torch.autograd.backward(evaluate()[1].sum())  # the sum: each latent has its own gradient
        adam.step()
        _keep_in_range(z, networks.architecture)
        tick()
    with torch.no_grad():
        images, last = evaluate()
    ranks = last.view(len(places), plan.restarts).argsort(dim=1)
    return (
        _ranked(z.detach(), ranks),
        _ranked(images, ranks),
        _ranked(first, ranks),
        _ranked(last, ranks),
    )


def _ranked(values: Tensor, ranks: Tensor) -> Tensor:
    """(images * restarts, ...) -> (images, restarts, ...) in the order of `ranks` (images, restarts)."""
    grouped = values.view(*ranks.shape, *values.shape[1:])
    return grouped[torch.arange(len(ranks), device=ranks.device)[:, None], ranks]


@torch.no_grad()
def _keep_in_range(z: Tensor, architecture: Architecture) -> None:
    """Uniform latents are clipped to [-1, 1]. Normal ones lie near a sphere of radius sqrt(dim), and are
    brought back to it when they leave it; inside, where the means of latents lie, they are free.
    """
    if architecture.distribution == "uniform":
        z.clamp_(-1.0, 1.0)
        return
    radius = math.sqrt(architecture.latent_dim)
    z.mul_((radius / z.flatten(1).norm(dim=1).clamp(min=1e-12)).clamp(max=1.0).view(-1, 1, 1, 1))
