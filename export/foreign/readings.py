"""From a way to read a file to layers and tensors, with what no shape tells: activations, eps, upsampling.

What the user did not say is assumed from the commonest use, and every assumption is a sentence.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dcgan_edge.errors import UsageError
from dcgan_edge.layers import Layer

from .recognise import Structure, resembles_pytorch_gan
from .recognise_chain import Link
from .recognise_geometry import Step
from .recognise_inputs import first_weight
from .recognise_modules import MERGED, Norm

Output = Literal["tanh", "sigmoid", "none"]
Mode = Literal["nearest", "bilinear"]
ACTIVATIONS = ("relu", "leaky_relu", "elu", "silu", "tanh", "sigmoid", "none")
OUTPUTS: tuple[Output, ...] = ("tanh", "sigmoid", "none")
MODES: tuple[Mode, ...] = ("nearest", "bilinear")


@dataclass(frozen=True)
class Activation:
    """What stands between the layers; `slope` is that of a leaky ReLU."""

    kind: str = "relu"
    slope: float = 0.0

    def words(self) -> str:
        """Return the activation as it is given on the command line: `leaky_relu:0.2`."""
        return f"{self.kind}:{self.slope:g}" if self.kind == "leaky_relu" else self.kind


@dataclass(frozen=True)
class Values:
    """What no tensor tells. `first_eps` is that of the first BatchNorm where it differs from the others."""

    activation: Activation = Activation()
    output: Output = "tanh"
    mode: Mode = "nearest"
    eps: float = 1e-5
    first_eps: float | None = None


@dataclass(frozen=True)
class Given:
    """What the user said of the values; None where nothing was said."""

    activation: Activation | None = None
    output: Output | None = None
    mode: Mode | None = None
    eps: float | None = None


TRIED = tuple(
    Activation("leaky_relu", slope) if slope else Activation(kind)
    for kind, slope in (
        ("relu", 0.0), ("leaky_relu", 0.2), ("leaky_relu", 0.01), ("leaky_relu", 0.1), ("leaky_relu", 0.3),
        ("elu", 0.0), ("silu", 0.0), ("tanh", 0.0), ("leaky_relu", 0.02), ("leaky_relu", 0.05), ("none", 0.0),
    )
)  # fmt: skip
EPS_TRIED = ((1e-5, None), (0.8, 1e-5), (0.8, None), (1e-3, None), (1e-4, None), (1e-6, None), (1e-2, None))


def parse_activation(text: str) -> Activation:
    """Read `relu`, `leaky_relu:0.2` and the like. Raises UsageError for anything else."""
    kind, colon, rest = text.strip().lower().partition(":")
    try:
        slope = float(rest) if colon else 0.2 if kind == "leaky_relu" else 0.0
    except ValueError:
        slope = -1.0
    if kind not in ACTIVATIONS or (colon and kind != "leaky_relu") or not 0.0 <= slope <= 10.0:
        raise UsageError(
            f"{text!r} is not an activation; write {', '.join(ACTIVATIONS)}, or leaky_relu:0.2 for the slope."
        )
    return Activation(kind, slope)


def likeliest(structure: Structure, given: Given) -> Values:
    """Return the values of the commonest use where `given` says nothing."""
    borrowed = resembles_pytorch_gan(structure)
    widths = [link.outputs for link in structure.links]
    leaky = borrowed or (structure.is_dense and widths == sorted(set(widths)))
    assumed = Values(
        activation=given.activation or (Activation("leaky_relu", 0.2) if leaky else Activation()),
        output=given.output or "tanh",
        mode=given.mode or "nearest",
        eps=1e-5 if given.eps is None else given.eps,
    )
    if borrowed and given.eps is None:
        return dataclasses.replace(assumed, eps=0.8, first_eps=None if structure.is_dense else 1e-5)
    return assumed


def usual_values(structure: Structure, given: Given) -> Iterator[Values]:
    """Yield the values that published generators have, the likeliest first, but for the output's.

    What `given` says is kept; what the structure does not have is not varied.
    """
    first = likeliest(structure, given)
    modes = (given.mode,) if given.mode else MODES if structure.has_upsampling else ("nearest",)
    epsilons = (
        ((given.eps, None),)
        if given.eps is not None
        else EPS_TRIED
        if structure.has_norm
        else ((1e-5, None),)
    )
    activations = (given.activation,) if given.activation else TRIED
    every = [
        dataclasses.replace(first, activation=activation, mode=mode, eps=eps, first_eps=first_eps)
        for (eps, first_eps), mode, activation in itertools.product(epsilons, modes, activations)
    ]
    yield first
    yield from (values for values in every if values != first)


def assumptions(structure: Structure, values: Values, given: Given) -> tuple[str, ...]:
    """Return a sentence for each value that was neither in the file nor said by the user."""
    found = []
    if given.activation is None and len(structure.links) > 1:
        found.append(f"activation between the layers: {values.activation.words()} (--activation)")
    if any(link.side for link in structure.links[:-1]):
        found.append(
            f"{'no' if structure.bare else 'an'} activation between the dense layer and the feature maps"
        )
    if structure.has_norm and structure.norm_last:
        found.append("BatchNorm behind the activations")
    if given.output is None:
        found.append(f"output: {values.output} (--output-activation)")
    if structure.has_upsampling and given.mode is None:
        found.append(f"upsampling: {values.mode} (--upsample)")
    if structure.has_norm and given.eps is None:
        first = f", {values.first_eps:g} in the first" if values.first_eps is not None else ""
        found.append(f"eps of BatchNorm: {values.eps:g}{first} (--bn-eps)")
    return tuple(found)


@dataclass(frozen=True)
class Built:
    """The layers of a reading, its tensors as `layers.i.weight` and so on, and for each module of the file
    the number of its layer.
    """

    layers: tuple[Layer, ...]
    tensors: dict[str, Tensor]
    homes: dict[str, int]

    def ended(self, output: Output) -> Built:
        """Return the same with its last layers, so that it makes images in [-1, 1]."""
        return dataclasses.replace(self, layers=(*self.layers, *_ending(output)))


def build(structure: Structure, values: Values) -> Built:
    """Return the layers of a reading up to the output's activation, which `ended` adds."""
    layers: list[Layer] = []
    tensors: dict[str, Tensor] = {}
    homes: dict[str, int] = {}
    if structure.links[0].kind == "dense":
        layers.append(Layer("flatten"))
    norms = [link for link in structure.links if link.norm]
    if structure.inputs.table is not None:
        homes[structure.inputs.table.name] = int(structure.links[0].kind == "dense")
    for place, (link, step) in enumerate(zip(structure.links, structure.steps, strict=True)):
        if step.up > 1:
            layers.append(Layer("upsample", factor=step.up, mode=values.mode))
        weight = first_weight(link, structure.inputs) if place == 0 else link.item.weight
        tensors |= _named(len(layers), weight=weight, bias=link.item.bias)
        homes |= dict.fromkeys(link.item.name.split(MERGED), len(layers))
        layers.append(_weighted(link, step))
        last = place == len(structure.links) - 1
        active = not last and not (structure.bare and link.side)
        eps = (
            values.eps if values.first_eps is None or not norms or link is not norms[0] else values.first_eps
        )
        for layer, norm in _behind(link, values, active, structure.norm_last, eps):
            if norm is not None:
                tensors |= _norm_tensors(len(layers), norm)
                homes |= dict.fromkeys(norm.name.split(MERGED), len(layers))
            layers.append(layer)
    return Built(tuple(layers), tensors, homes)


def _weighted(link: Link, step: Step) -> Layer:
    bias = link.item.bias is not None
    if link.kind == "dense":
        return Layer("dense", channels=link.outputs, bias=bias)
    return Layer(
        link.kind,
        channels=link.outputs,
        kernel=link.item.kernel,
        stride=step.stride,
        padding=step.padding,
        bias=bias,
    )


def _behind(
    link: Link, values: Values, active: bool, norm_last: bool, eps: float
) -> list[tuple[Layer, Norm | None]]:
    """What stands behind a layer with weights: reshaping, BatchNorm, activation, each with its tensors."""
    reshaping: list[tuple[Layer, Norm | None]] = []
    if link.side:
        reshaping.append((Layer("reshape", shape=(link.channels, link.side, link.side)), None))
    if link.shuffle > 1:
        reshaping.append((Layer("pixel_shuffle", factor=link.shuffle), None))
    norm: list[tuple[Layer, Norm | None]] = (
        [(Layer("batch_norm", eps=eps), link.norm)] if link.norm is not None else []
    )
    activation = _activation(values.activation) if active else None
    acting: list[tuple[Layer, Norm | None]] = [(activation, None)] if activation else []
    settled = [*acting, *norm] if norm_last else [*norm, *acting]
    if link.norm_on_maps:
        return [*reshaping, *settled]
    return [*settled, *reshaping]


def _activation(activation: Activation) -> Layer | None:
    if activation.kind == "none":
        return None
    if activation.kind == "leaky_relu":
        return Layer("leaky_relu", slope=activation.slope)
    return Layer(activation.kind)  # type: ignore[arg-type]  # one of ACTIVATIONS, which are kinds of layers


def _ending(output: Output) -> tuple[Layer, ...]:
    """The last layers: images in [-1, 1] whatever the network ends in."""
    if output == "sigmoid":
        return Layer("sigmoid"), Layer("rescale")
    return (Layer("tanh" if output == "tanh" else "clip"),)


def _named(index: int, **tensors: Tensor | None) -> dict[str, Tensor]:
    return {f"layers.{index}.{leaf}": value for leaf, value in tensors.items() if value is not None}


def _norm_tensors(index: int, norm: Norm) -> dict[str, Tensor]:
    """The five tensors of a BatchNorm, made up where the file has none."""
    ones = torch.ones_like(norm.mean)
    return _named(
        index,
        weight=ones if norm.weight is None else norm.weight,
        bias=ones * 0.0 if norm.bias is None else norm.bias,
        running_mean=norm.mean,
        running_var=norm.variance,
        num_batches_tracked=torch.zeros((), dtype=torch.int64),
    )
