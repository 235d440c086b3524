"""The layers of a Keras network as ours, and its arrays in PyTorch's order.

Keras keeps images (height, width, channels), we keep (channels, height, width): kernels are turned round, and
the features of a dense layer in front of a Reshape are put into our order. Zero padding is TensorFlow's
"SAME": what does not divide by two lies behind. A transposed convolution cuts off what its convolution adds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dcgan_edge.errors import ArtifactError
from dcgan_edge.latents import FloatArray
from dcgan_edge.layers import MOST_ELEMENTS, Layer
from dcgan_edge.names import shown

from .keras_settings import array, has, number, square, whole

IGNORED = {
    "InputLayer", "Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization",
}  # fmt: skip
ACTIVATIONS = {
    "linear": (), "relu": (Layer("relu"),), "tanh": (Layer("tanh"),), "sigmoid": (Layer("sigmoid"),),
    "elu": (Layer("elu"),), "silu": (Layer("silu"),), "swish": (Layer("silu"),),
    "leaky_relu": (Layer("leaky_relu", slope=0.2),),
}  # fmt: skip
MOST_FEATURES = 2**24
KERNEL, BIAS = "kernel", "bias"
NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@dataclass
class Chain:
    """Our layers so far, with their arrays, and the Keras shape of what the last one makes.

    `order` says which feature of Keras' vector each of ours is, None when they agree; `owners` are the layers
    whose features would have to change places for a Reshape.
    """

    shape: tuple[int, ...]
    layers: list[Layer] = field(default_factory=list)
    arrays: dict[str, FloatArray] = field(default_factory=dict)
    flat: bool = False
    order: np.ndarray[Any, np.dtype[np.intp]] | None = None
    owners: list[int] | None = None

    def add(self, layer: Layer, **arrays: FloatArray) -> None:
        """Append `layer` with its arrays."""
        self.arrays |= {f"layers.{len(self.layers)}.{name}": value for name, value in arrays.items()}
        self.layers.append(layer)


def convert(chain: Chain, kind: str, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    """Append the Keras layer of class `kind` to `chain`.

    Raises ArtifactError when no layer of ours does the same, or its arrays do not fit its configuration.
    """
    if kind in IGNORED:
        return
    make = LAYERS.get(kind)
    if make is None:
        raise ArtifactError(f"no such layer can be read; those are {', '.join(sorted(LAYERS))}")
    make(chain, config, weights)
    if math.prod(chain.shape) > MOST_ELEMENTS:
        raise ArtifactError(f"it makes {chain.shape} of one latent, which is too much")


def _dense(chain: Chain, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    if len(chain.shape) != 1:
        raise ArtifactError(f"a Dense layer takes vectors, not {chain.shape}; a Flatten layer is missing")
    kernel = array(weights, KERNEL, (chain.shape[0], whole(config, "units")))
    if not chain.flat:
        chain.add(Layer("flatten"))
    if chain.order is not None:
        kernel = kernel[chain.order]
    chain.owners, chain.order, chain.flat, chain.shape = [len(chain.layers)], None, True, (kernel.shape[1],)
    _weighted(chain, Layer("dense", kernel.shape[1], bias=has(config, "use_bias")), kernel.T, config, weights)


def _reshape(chain: Chain, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    shape = tuple(config.get("target_shape", ()))
    features = _features(chain)
    if -1 in shape and shape.count(-1) == 1:
        known = math.prod(side for side in shape if isinstance(side, int) and side != -1)
        shape = tuple(features // known if side == -1 and known > 0 else side for side in shape)
    if not all(isinstance(side, int) and side > 0 for side in shape) or math.prod(shape) != features:
        raise ArtifactError(f"a Reshape from {chain.shape} to {shape} does not fit")
    if shape == chain.shape:
        return
    if len(shape) == 1:
        _flatten(chain, config, weights)
        return
    if len(shape) != 3 or len(chain.shape) != 1:
        raise ArtifactError(f"a Reshape from {chain.shape} to {shape} is not a vector becoming an image")
    height, width, channels = shape
    wanted = np.arange(features).reshape(shape).transpose(2, 0, 1).ravel()
    if not chain.flat and height == width == 1:
        chain.shape = shape  # latents are (n, 1, 1) here from the start
        return
    if chain.order is None and not np.array_equal(wanted, np.arange(features)):
        _reorder(chain, wanted)
    elif chain.order is not None and not np.array_equal(wanted, chain.order):
        raise ArtifactError(f"a Reshape to {shape} behind a Flatten of other sizes")
    chain.add(Layer("reshape", shape=(channels, height, width)))
    chain.shape, chain.flat, chain.order, chain.owners = shape, False, None, None


def _features(chain: Chain) -> int:
    """How long the vector is that an image becomes, or the image that a vector does."""
    features = math.prod(chain.shape)
    if features > MOST_FEATURES:
        raise ArtifactError(f"vectors of {features:,} features, which no generator has")
    return features


def _reorder(chain: Chain, wanted: np.ndarray[Any, np.dtype[np.intp]]) -> None:
    """Let the last dense layer, and what follows it, make their features in the order `wanted`."""
    if chain.owners is None:
        raise ArtifactError("a Reshape of the latents themselves, without a Dense layer before it")
    for owner in chain.owners:
        for name, value in chain.arrays.items():
            if name.startswith(f"layers.{owner}."):
                chain.arrays[name] = value[wanted]


def _flatten(chain: Chain, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    if len(chain.shape) == 1:
        return
    places = np.arange(_features(chain)).reshape(chain.shape)
    chain.order, chain.owners = places.transpose(2, 0, 1).ravel(), None
    chain.shape, chain.flat = (places.size,), True
    chain.add(Layer("flatten"))


def _conv(chain: Chain, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    kernel, stride, same = _convolution(chain, config)
    channels = whole(config, "filters")
    side, inputs = chain.shape[0], chain.shape[2]
    made = -(-side // stride) if same else (side - kernel) // stride + 1
    missing = max((made - 1) * stride + kernel - side, 0) if same else 0
    around = (missing // 2, missing - missing // 2)
    chain.shape = (made, made, channels)
    layer = Layer("conv", channels, kernel, stride, around, has(config, "use_bias"))
    weight = array(weights, KERNEL, (kernel, kernel, inputs, channels))
    _weighted(chain, layer, weight.transpose(3, 2, 0, 1), config, weights)


def _conv_transpose(chain: Chain, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    kernel, stride, same = _convolution(chain, config)
    channels = whole(config, "filters")
    side, inputs = chain.shape[0], chain.shape[2]
    extra = square(config, "output_padding", least=0) if config.get("output_padding") is not None else None
    full = (side - 1) * stride + kernel
    if same:
        made = side * stride if extra is None else (side - 1) * stride + kernel % 2 + extra
    else:
        made = full + (max(stride - kernel, 0) if extra is None else extra)
    cut = full - made
    if cut < 0:
        raise ArtifactError(
            f"a Conv2DTranspose of kernel {kernel} and stride {stride} that adds zeros at the end"
        )
    chain.shape = (made, made, channels)
    layer = Layer(
        "conv_transpose", channels, kernel, stride, (cut // 2, cut - cut // 2), has(config, "use_bias")
    )
    weight = array(weights, KERNEL, (kernel, kernel, channels, inputs))
    _weighted(chain, layer, weight.transpose(3, 2, 0, 1), config, weights)


def _convolution(chain: Chain, config: dict[str, Any]) -> tuple[int, int, bool]:
    """Kernel, stride and whether padding is "same", after what we do not have was ruled out."""
    if len(chain.shape) != 3:
        raise ArtifactError(f"a convolution takes images, not {chain.shape}; a Reshape layer is missing")
    for name, plain in (("data_format", "channels_last"), ("groups", 1)):
        if config.get(name, plain) not in (plain, None):
            raise ArtifactError(
                f"a convolution with {name} {shown(str(config[name]))}; only {plain} can be read"
            )
    if square(config, "dilation_rate", default=1) != 1 or config.get("padding", "valid") not in (
        "same",
        "valid",
    ):
        raise ArtifactError("a convolution that is dilated, or padded neither 'same' nor 'valid'")
    return (
        square(config, "kernel_size"),
        square(config, "strides", default=1),
        config.get("padding") == "same",
    )


def _weighted(
    chain: Chain, layer: Layer, weight: FloatArray, config: dict[str, Any], weights: dict[str, FloatArray]
) -> None:
    bias = {"bias": array(weights, BIAS, (layer.channels,))} if layer.bias else {}
    chain.add(layer, weight=weight, **bias)
    _activate(chain, config.get("activation"))


def _upsample(chain: Chain, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    mode = config.get("interpolation", "nearest")
    if mode not in ("nearest", "bilinear") or config.get("data_format", "channels_last") != "channels_last":
        raise ArtifactError(f"an UpSampling2D that is {shown(str(mode))}, or not channels_last")
    factor = square(config, "size", default=2)
    if len(chain.shape) != 3:
        raise ArtifactError(f"an UpSampling2D takes images, not {chain.shape}")
    height, width, channels = chain.shape
    chain.shape = (height * factor, width * factor, channels)
    chain.add(Layer("upsample", factor=factor, mode=mode))


def _norm(chain: Chain, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    axis = config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if axis not in (-1, len(chain.shape)) or config.get("renorm"):
        raise ArtifactError("a BatchNormalization along another axis than the last, or with renorm")
    features = (chain.shape[-1],)
    there = dict(zip(NORM, (has(config, "scale"), has(config, "center"), True, True), strict=True))
    found = {
        name: array(weights, name, features)
        if there[name]
        else np.full(features, name == "gamma", np.float32)
        for name in NORM
    }
    if chain.order is not None:
        found = {name: value[chain.order] for name, value in found.items()}
    if chain.owners is not None:
        chain.owners.append(len(chain.layers))
    eps, momentum = number(config, "epsilon", 1e-3), 1.0 - number(config, "momentum", 0.99)
    names = dict(zip(("weight", "bias", "running_mean", "running_var"), found.values(), strict=True))
    chain.add(Layer("batch_norm", eps=eps, momentum=momentum), **names)


def _leaky(chain: Chain, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    slope = number(config, "negative_slope", number(config, "alpha", 0.3))
    chain.add(Layer("leaky_relu", slope=slope))


def _relu(chain: Chain, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    if config.get("max_value") is not None or number(config, "threshold", 0.0) != 0.0:
        raise ArtifactError("a ReLU with a largest value or a threshold")
    slope = number(config, "negative_slope", 0.0)
    chain.add(Layer("leaky_relu", slope=slope) if slope else Layer("relu"))


def _elu(chain: Chain, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    if number(config, "alpha", 1.0) != 1.0:
        raise ArtifactError("an ELU whose alpha is not 1")
    chain.add(Layer("elu"))


def _activation(chain: Chain, config: dict[str, Any], weights: dict[str, FloatArray]) -> None:
    _activate(chain, config.get("activation"))


def _activate(chain: Chain, activation: object) -> None:
    """Append an activation that is named, or described in Keras' way."""
    if isinstance(activation, dict):
        settings = activation.get("config")
        if activation.get("class_name") in ("ReLU", "LeakyReLU", "ELU") and isinstance(settings, dict):
            LAYERS[activation["class_name"]](chain, settings, {})
            return
        activation = settings if isinstance(settings, str) else activation.get("class_name")
    if not isinstance(activation, str | None) or (activation or "linear") not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise ArtifactError(f"the activation {shown(str(activation))} is not one that can be read: {known}")
    for layer in ACTIVATIONS[activation or "linear"]:
        chain.add(layer)


LAYERS: dict[str, Callable[[Chain, dict[str, Any], dict[str, FloatArray]], None]] = {
    "Activation": _activation,
    "BatchNormalization": _norm,
    "Conv2D": _conv,
    "Conv2DTranspose": _conv_transpose,
    "Dense": _dense,
    "ELU": _elu,
    "Flatten": _flatten,
    "LeakyReLU": _leaky,
    "ReLU": _relu,
    "Reshape": _reshape,
    "UpSampling2D": _upsample,
}
