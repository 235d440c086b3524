"""Generators as other people write them, for the tests to bring: a module that is imported by name."""

from __future__ import annotations

import random
import warnings
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DIM, CLASSES = 6, 3
SPREAD = nn.ConvTranspose2d(DIM, 1, 8)
READY_MADE = nn.Sequential(SPREAD, nn.Tanh())
NUMBER = 7


class Spatial(nn.Module):
    """Takes (batch, dim, 1, 1), in the manner of the official example."""

    def __init__(self, nz: int = DIM, size: int = 8) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, 8, size // 2, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(True),
            nn.ConvTranspose2d(8, 3, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, input: Tensor) -> Tensor:
        images: Tensor = self.main(input)
        return images


class Flat(nn.Module):
    """Takes (batch, dim) and makes grey images in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(DIM, 64)

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.dense(z)).view(-1, 1, 8, 8)


class Labelled(nn.Module):
    """Takes a class as a number."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.flat = nn.Embedding(CLASSES, DIM), Flat()

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        images: Tensor = self.flat(z * self.embedding(labels))
        return 2 * images - 1


class OneHot(nn.Module):
    """Takes a class one-hot."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(DIM + CLASSES, 64)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return torch.tanh(self.dense(torch.cat([z, labels], 1))).view(-1, 1, 8, 8)


class OneHotMap(nn.Module):
    """Takes a class one-hot, as a map of one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.main = Spatial(DIM + CLASSES)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        images: Tensor = self.main(torch.cat([z, labels], 1))
        return images


class Joined(Spatial):
    """Takes the latent with the one-hot class behind it."""

    def __init__(self) -> None:
        super().__init__(DIM + CLASSES)


class Indifferent(Flat):
    """Takes a class and makes nothing of it."""

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(z)


class Answer(NamedTuple):
    latents: Tensor
    image: Tensor


class InTuple(Spatial):
    def forward(self, input: Tensor) -> Any:
        return Answer(input, super().forward(input))


class InDictionary(Spatial):
    def forward(self, input: Tensor) -> Any:
        return {"w": input, "image": super().forward(input)}


class Oblong(Spatial):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input)[..., :5]


class ChannelsLast(Spatial):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).permute(0, 2, 3, 1)


class Noisy(Spatial):
    def forward(self, input: Tensor) -> Tensor:
        images = super().forward(input)
        return images + 0.1 * torch.randn_like(images)


class Dropping(Spatial):
    """Drops out in eval, too."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(super().forward(input), 0.5)


class BatchStatistics(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.spread, self.norm = nn.ConvTranspose2d(DIM, 3, 8), nn.BatchNorm2d(3, track_running_stats=False)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.spread(z)))


class Bytes(Spatial):
    """Makes images in 0..255."""

    def forward(self, input: Tensor) -> Tensor:
        return (super().forward(input) + 1) * 127.5


class Unbounded(Spatial):
    """Now and then leaves -1..1 a little."""

    def forward(self, input: Tensor) -> Tensor:
        return 1.03 * torch.sin(50 * super().forward(input))


class NotFinite(Spatial):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) / 0


class FixedBatch(Flat):
    """Takes 2 images, no more and no fewer."""

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z.view(2, DIM))


class Undecided(Spatial):
    """Goes another way by what its images are."""

    def forward(self, input: Tensor) -> Tensor:
        images = super().forward(input)
        return images if images.sum() > 0 else -images


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.LazyLinear(64)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.dense(z)).view(-1, 1, 8, 8)


class Rich(nn.Module):
    """Has what our own generators have not: attention, residual adds and every other kind of norm."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.instance = nn.Linear(DIM, 8 * 16), nn.InstanceNorm2d(8, affine=True)
        self.first = nn.utils.parametrizations.spectral_norm(nn.Conv2d(8, 8, 3, padding=1))
        self.slope, self.group, self.batch = nn.PReLU(8), nn.GroupNorm(2, 8), nn.BatchNorm2d(8)
        self.query, self.value = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 8, 1)
        self.wide, self.shuffle = nn.Conv2d(8, 16, 3, padding=1), nn.PixelShuffle(2)
        self.last = nn.utils.spectral_norm(nn.Conv2d(4, 3, 3, padding=1))

    def forward(self, z: Tensor) -> Tensor:
        x = F.silu(self.batch(self.dense(z).view(-1, 8, 4, 4)))
        x = x + self.slope(self.instance(self.first(x)))
        keys = self.query(x).flatten(2)
        shares = torch.softmax(keys.transpose(1, 2) @ keys, dim=-1)
        x = x + (self.value(x).flatten(2) @ shares).view_as(x)
        x = F.interpolate(self.shuffle(self.wide(F.gelu(self.group(x)))), scale_factor=2, mode="bilinear")
        return torch.tanh(self.last(x))


def parallel() -> nn.Module:
    return nn.DataParallel(Spatial())


def halved() -> nn.Module:
    return Spatial().half()


def on_meta() -> nn.Module:
    with torch.device("meta"):
        return Spatial()


def script() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is going out of use
        scripted: nn.Module = torch.jit.script(nn.Conv2d(1, 1, 1))
    return scripted


def chatty() -> nn.Module:
    print("made")
    return Spatial()


def failing() -> nn.Module:
    raise FileNotFoundError("no such file: settings.yaml")


def leaving() -> nn.Module:
    raise SystemExit(2)


def dictionary() -> dict[str, float]:
    return {"lr": random.random()}
