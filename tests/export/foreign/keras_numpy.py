"""Keras' layers evaluated in NumPy by their definitions, in Keras' order (n, height, width, channels).

Written from the definitions alone: convolutions are sums over windows, transposed ones scatter each pixel's
kernel, so that nothing is shared with PyTorch or with the conversion that is tested.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Values = np.ndarray[Any, np.dtype[Any]]


def same(side: int, kernel: int, stride: int) -> tuple[int, int, int]:
    """Outputs of a convolution that TensorFlow pads "SAME", and its zeros before and behind."""
    outputs = -(-side // stride)
    zeros = max((outputs - 1) * stride + kernel - side, 0)
    return outputs, zeros // 2, zeros - zeros // 2


def conv(images: Values, kernel: Values, stride: int, padding: str) -> Values:
    """A convolution with a kernel (height, width, inputs, outputs)."""
    size, side = kernel.shape[0], images.shape[1]
    outputs, before, behind = (
        same(side, size, stride) if padding == "same" else ((side - size) // stride + 1, 0, 0)
    )
    around = np.pad(images, ((0, 0), (before, behind), (before, behind), (0, 0)))
    made = np.zeros((len(images), outputs, outputs, kernel.shape[3]))
    for y in range(outputs):
        for x in range(outputs):
            window = around[:, y * stride : y * stride + size, x * stride : x * stride + size]
            made[:, y, x] = np.einsum("nhwi,hwio->no", window, kernel)
    return made


def conv_transpose(images: Values, kernel: Values, stride: int, padding: str) -> Values:
    """What takes a convolution back: kernel (height, width, outputs, inputs)."""
    size, side = kernel.shape[0], images.shape[1]
    outputs, before = side * stride, 0
    if padding == "same":
        _, before, _ = same(outputs, size, stride)
    else:
        outputs += max(size - stride, 0)
    whole = np.zeros((len(images), *[(side - 1) * stride + max(size, stride)] * 2, kernel.shape[2]))
    for y in range(side):
        for x in range(side):
            place = whole[:, y * stride : y * stride + size, x * stride : x * stride + size]
            place += np.einsum("ni,hwoi->nhwo", images[:, y, x], kernel)
    return whole[:, before : before + outputs, before : before + outputs]


def upsample(images: Values, factor: int, interpolation: str) -> Values:
    """Repeated pixels, or straight lines between the middles of pixels."""
    side = images.shape[1]
    if interpolation == "nearest":
        return images.repeat(factor, 1).repeat(factor, 2)
    places = np.clip((np.arange(side * factor) + 0.5) / factor - 0.5, 0, side - 1)
    low = np.minimum(np.floor(places).astype(int), max(side - 2, 0))
    share = places - low
    matrix = np.zeros((side * factor, side))
    matrix[np.arange(side * factor), low] = 1 - share
    matrix[np.arange(side * factor), np.minimum(low + 1, side - 1)] += share
    larger: Values = np.einsum("yh,xw,nhwc->nyxc", matrix, matrix, images)
    return larger


def activate(values: Values, name: str) -> Values:
    """The activations that Keras knows by name."""
    made: dict[str, Any] = {
        "linear": lambda: values,
        "relu": lambda: np.maximum(values, 0),
        "tanh": lambda: np.tanh(values),
        "sigmoid": lambda: 1 / (1 + np.exp(-values)),
        "silu": lambda: values / (1 + np.exp(-values)),
        "elu": lambda: np.where(values > 0, values, np.expm1(values)),
        "leaky_relu": lambda: np.where(values > 0, values, 0.2 * values),
    }
    result: Values = made[name]()
    return result


def evaluate(layers: list[tuple[str, dict[str, Any], list[Values]]], latents: Values) -> Values:
    """What a Sequential model of (class, settings, arrays) makes of `latents` when it does not train."""
    values = latents.astype(np.float64)
    for kind, config, arrays in layers:
        if kind == "Dense":
            values = values @ arrays[0]
        elif kind == "Conv2D":
            values = conv(values, arrays[0], config["strides"][0], config["padding"])
        elif kind == "Conv2DTranspose":
            values = conv_transpose(values, arrays[0], config["strides"][0], config["padding"])
        elif kind == "BatchNormalization":
            gamma, beta, mean, variance = arrays
            values = gamma * (values - mean) / np.sqrt(variance + config["epsilon"]) + beta
        elif kind == "UpSampling2D":
            values = upsample(values, config["size"][0], config["interpolation"])
        elif kind == "Reshape":
            values = values.reshape(len(values), *config["target_shape"])
        elif kind == "Flatten":
            values = values.reshape(len(values), -1)
        elif kind == "LeakyReLU":
            slope = config["negative_slope"] if "negative_slope" in config else config["alpha"]
            values = np.where(values > 0, values, slope * values)
        elif kind == "ReLU":
            values = np.maximum(values, 0)
        if config.get("use_bias"):
            values = values + arrays[1]
        values = activate(values, config.get("activation", "linear"))
    return values
