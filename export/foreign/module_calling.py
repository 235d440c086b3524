"""How somebody's module is called: found by trying, then checked to be a generator as ours are.

A generator here has one input, the latent followed by the one-hot class, and gives images in [-1, 1] that
depend on their own row of it and on nothing else. `CanonicalModule` makes any module look so.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.latents import Distribution, latents

from .module_loading import LoadedModule
from .module_weights import reason

PROBE_SEEDS = range(8)
CHANNELS = range(1, 5)
SAME = 1e-6  # two runs of the same input; CPU kernels repeat themselves exactly
ALONE = 1e-4  # other rows beside it: another blocking of the same sums, 1e-6 measured
OUTSIDE = 1e-3  # beyond the range before values count as cut off
MOST_OUTSIDE = 0.25  # of all values; with more, it is not this range
ClassInput = Literal["none", "label", "one-hot", "one-hot map", "joined"]
CLASS_WORDS: dict[ClassInput, str] = {
    "none": "",
    "label": ", and the class as its number, int64 (batch,)",
    "one-hot": ", and the class one-hot, float32 (batch, {classes})",
    "one-hot map": ", and the class one-hot, float32 (batch, {classes}, 1, 1)",
    "joined": " followed by the one-hot class",
}


@dataclass(frozen=True)
class Call:
    """How a module takes its latents and classes, where among its outputs the images are, and their range.

    `flat` latents are (batch, dim), others (batch, dim, 1, 1). `picked` is the position or key of the images
    in what it returns, None where that is a tensor. Images in `low`..`high` become [-1, 1]; `clipped` ones
    leave that range and are cut off.
    """

    latent_dim: int
    classes: int
    flat: bool
    class_input: ClassInput
    picked: int | str | None = None
    low: float = -1.0
    high: float = 1.0
    clipped: bool = False


class CanonicalModule(nn.Module):
    """A module of others behind our one input and our one output."""

    def __init__(self, module: nn.Module, call: Call) -> None:
        super().__init__()
        self.module = module
        self.call = call

    def forward(self, inputs: Tensor) -> Tensor:
        """Return images (batch, channels, size, size) in [-1, 1] of `inputs` (batch, dim + classes, 1, 1)."""
        call = self.call
        images = _images(self.module(*_arguments(inputs, call)), call.picked)
        if (call.low, call.high) != (-1.0, 1.0):
            images = (images - call.low) * (2.0 / (call.high - call.low)) - 1.0
        return images.clamp(-1.0, 1.0) if call.clipped else images


def find_call(
    loaded: LoadedModule,
    *,
    latent_dim: int,
    classes: int,
    distribution: Distribution,
    value_range: tuple[float, float] | None,
    batch: int | None,
) -> tuple[CanonicalModule, Tensor, tuple[str, ...]]:
    """Return the module as ours are, images that it made, and what was found out, in sentences.

    `value_range` None is told by the images. `batch` is the only number of images that it is to take, None
    for any number.

    Raises UsageError when it takes no such latents or makes no square images of 1 to 4 channels, EdgeError
    when its images are random, not finite, or depend on what else is in the batch.
    """
    sizes = (batch, batch) if batch else (5, 3)  # numbers that a module hardly fixes by chance
    inputs = _inputs(sizes[0], latent_dim, classes, distribution)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        call = _first_that_works(loaded, latent_dim, classes, inputs)
        raw = CanonicalModule(loaded.module, call)
        torch.manual_seed(1)
        images = raw(inputs)
        torch.manual_seed(2)
        again = raw(inputs)
        _check_images(loaded.name, images, again)
        fewer = torch.cat([inputs[:2], inputs.flip(0)[: sizes[1]]])[: sizes[1]]
        _check_alone(loaded.name, images, raw(fewer))
        many = torch.cat([raw(part) for part in _parts(sizes[0], latent_dim, classes, distribution)])
        blind = _ignores_class(raw, inputs) if classes else ""
    call, notes = _ranged(call, many, value_range, loaded.name)
    return CanonicalModule(loaded.module, call), many, tuple(filter(None, (*_words(call), *notes, blind)))


def _inputs(count: int, latent_dim: int, classes: int, distribution: Distribution) -> Tensor:
    drawn = torch.from_numpy(latents(range(count), latent_dim, distribution))
    if not classes:
        return drawn
    chosen = torch.arange(count) * (classes - 1) // max(count - 1, 1)  # the first, the last, some between
    return torch.cat([drawn, torch.eye(classes)[chosen, :, None, None]], dim=1)


def _parts(size: int, latent_dim: int, classes: int, distribution: Distribution) -> Iterator[Tensor]:
    """The inputs of the probe's seeds in batches of `size`; the last is filled from the first."""
    whole = _inputs(len(PROBE_SEEDS), latent_dim, classes, distribution)
    for start in range(0, len(whole), size):
        yield torch.cat([whole[start : start + size]] + [whole] * (size // len(whole) + 1))[:size]


def _first_that_works(loaded: LoadedModule, latent_dim: int, classes: int, inputs: Tensor) -> Call:
    """Return the first way to call the module that gives images. Raises UsageError with each one's reason."""
    ways: Sequence[ClassInput] = ("label", "one-hot", "one-hot map", "joined") if classes else ("none",)
    failed: list[str] = []
    refusal: UsageError | None = None
    for class_input, flat in itertools.product(ways, (False, True)):
        call = Call(latent_dim, classes, flat, class_input)
        try:
            made = loaded.module(*_arguments(inputs, call))
            return dataclasses.replace(call, picked=_picked(made, len(inputs), loaded.name))
        except UsageError as error:
            refusal = refusal or error
        except Exception as error:  # whatever their code raises
            failed.append(f"with {_given(call)} it raised {reason(error)}")
    if refusal is not None:
        raise refusal
    shown = "; ".join(dict.fromkeys(failed[:4]))
    lacking = not classes and any("missing" in each for each in failed)
    hint = " If it takes a class as well, add --classes N." if lacking else ""
    raise UsageError(f"{loaded.name} does not take latents of {latent_dim}: {shown}.{hint}")


def _arguments(inputs: Tensor, call: Call) -> tuple[Tensor, ...]:
    if call.class_input == "joined":
        return (inputs.flatten(1) if call.flat else inputs,)
    drawn = inputs[:, : call.latent_dim]
    drawn = drawn.flatten(1) if call.flat else drawn
    if call.class_input == "none":
        return (drawn,)
    weights = inputs[:, call.latent_dim :]
    if call.class_input == "one-hot map":
        return (drawn, weights)
    return (drawn, weights.flatten(1) if call.class_input == "one-hot" else weights.flatten(1).argmax(1))


def _images(made: Any, picked: int | str | None) -> Tensor:
    images: Tensor = made if picked is None else made[picked]
    return images


def _picked(made: Any, count: int, name: str) -> int | str | None:
    """Where in the output the `count` images are. Raises UsageError when there are none."""
    if isinstance(made, Tensor):
        _check_shape(made, count, name)
        return None
    items: list[tuple[int | str, Any]] = []
    if isinstance(made, Mapping):
        items = list(made.items())
    elif isinstance(made, Sequence):
        items = list(enumerate(made))
    for place, value in items:
        if isinstance(value, Tensor) and _is_image(value, count):
            return place
    raise UsageError(f"{name} returns a {type(made).__name__} without a batch of images in it.")


def _is_image(value: Tensor, count: int) -> bool:
    square = value.ndim == 4 and value.shape[2] == value.shape[3] and value.shape[1] in CHANNELS
    return square and len(value) == count and value.is_floating_point()


def _check_shape(images: Tensor, count: int, name: str) -> None:
    if _is_image(images, count):
        return
    shape = tuple(images.shape)
    expected = f"images are floats of shape (batch, 1 to 4 channels, size, size), here of {count}"
    if images.ndim == 4 and shape[1] == shape[2] and shape[3] in CHANNELS:
        expected += "; let it end in images.permute(0, 3, 1, 2)"
    raise UsageError(
        f"{name} makes {str(images.dtype).removeprefix('torch.')} of shape {shape}, and {expected}."
    )


def _check_images(name: str, images: Tensor, again: Tensor) -> None:
    if not torch.isfinite(images).all():
        raise EdgeError(f"{name} makes images with NaN or infinite values. Are its weights the trained ones?")
    if images.shape != again.shape or not torch.allclose(images, again, rtol=0, atol=SAME):
        raise EdgeError(
            f"{name} makes other images of the same latents at each call: it draws random numbers. Fix its "
            "noise inputs in a wrapper (zeros, or a buffer drawn once), and let eval() turn off its dropout."
        )


def _check_alone(name: str, images: Tensor, beside_others: Tensor) -> None:
    """Raise EdgeError when the first two images differ by what else is in their batch."""
    count = min(2, len(images), len(beside_others))
    if not torch.allclose(images[:count], beside_others[:count], rtol=0, atol=ALONE):
        raise EdgeError(
            f"{name} makes an image differently beside other ones: it normalises by the batch, as training "
            "does. A BatchNorm needs track_running_stats=True, and the statistics of its training."
        )


def _ignores_class(module: CanonicalModule, inputs: Tensor) -> str:
    """A sentence for the case that the same latents of another class make the same images."""
    dim = module.call.latent_dim
    other = torch.cat([inputs[:, :dim], inputs[:, dim:].roll(1, dims=1)], dim=1)
    same = module.call.classes > 1 and torch.equal(module(inputs), module(other))
    return "Its images do not depend on the class." if same else ""


def _ranged(
    call: Call, images: Tensor, value_range: tuple[float, float] | None, name: str
) -> tuple[Call, list[str]]:
    """`call` with the range of its images, and what is to be said of it."""
    least, most = float(images.min()), float(images.max())
    found = f"they lie in {least:.3g}..{most:.3g}"
    low, high = value_range or ((0.0, 1.0) if least >= 0.0 else (-1.0, 1.0))
    margin = OUTSIDE * (high - low)
    outside = float(((images < low - margin) | (images > high + margin)).float().mean())
    words = f"{low:g}..{high:g}"
    if outside > MOST_OUTSIDE:
        raise UsageError(
            f"{name} does not make images in {words}: {found}, {outside:.0%} of the values outside. Scale "
            "them in a wrapper, or say what they are: --range"
        )
    notes = [] if value_range else [f"Its images are taken to be in {words}: {found}."]
    if outside:
        notes.append(
            f"Values outside of {words} are cut off: {outside:.2%} of those of {len(images)} images."
        )
    return dataclasses.replace(call, low=low, high=high, clipped=outside > 0), notes


def _given(call: Call) -> str:
    dim = f"{call.latent_dim} + {call.classes}" if call.class_input == "joined" else f"{call.latent_dim}"
    shape = f"(batch, {dim})" if call.flat else f"(batch, {dim}, 1, 1)"
    return f"latents {shape}{CLASS_WORDS[call.class_input].format(classes=call.classes)}"


def _words(call: Call) -> Iterator[str]:
    yield f"It takes {_given(call)}."
    if call.picked is not None:
        yield f"Its images are taken from {call.picked!r} of what it returns; the rest is left out."
