"""A generator in PyTorch, built from its list of layers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from dcgan_edge.layers import Layer, Shape, input_shapes


class Generator(nn.Module):
    """Layers in a row: latents (n, inputs, 1, 1) to images (n, channels, size, size) in [-1, 1]."""

    def __init__(self, layers: Sequence[Layer], inputs: int) -> None:
        """Build `layers` with torch's own initial weights. Raises ValueError as `shapes` does."""
        super().__init__()
        taken = input_shapes(layers, inputs)
        self.layers = nn.Sequential(
            *(_module(layer, shape) for layer, shape in zip(layers, taken, strict=True))
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Return the images of latents (n, inputs, 1, 1)."""
        images: Tensor = self.layers(latents)
        return images


class PaddedConv2d(nn.Conv2d):
    """A convolution whose zeros before and after the image differ: `around` is (before, after)."""

    around: tuple[int, int] = (0, 0)

    def forward(self, images: Tensor) -> Tensor:
        """Return the convolution of `images` between its zeros."""
        before, after = self.around
        return super().forward(functional.pad(images, (before, after, before, after)))


class CroppedConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution that cuts off less before the image than after it, by `extra` pixels."""

    extra: int = 0

    def forward(self, images: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the transposed convolution of `images` without its last `extra` rows and columns."""
        whole = super().forward(images, output_size)
        return whole[:, :, : -self.extra, : -self.extra]


class Rescale(nn.Module):
    """Takes [0, 1] to [-1, 1]."""

    def forward(self, images: Tensor) -> Tensor:
        """Return 2 `images` - 1."""
        return images * 2.0 - 1.0


def _module(layer: Layer, shape: Shape) -> nn.Module:
    """The module of `layer` for activations of `shape`."""
    simple: dict[str, nn.Module] = {
        "flatten": nn.Flatten(),
        "relu": nn.ReLU(),
        "leaky_relu": nn.LeakyReLU(layer.slope),
        "elu": nn.ELU(),
        "silu": nn.SiLU(),
        "tanh": nn.Tanh(),
        "sigmoid": nn.Sigmoid(),
        "rescale": Rescale(),
        "clip": nn.Hardtanh(),
    }
    if layer.kind in simple:
        return simple[layer.kind]
    if layer.kind == "dense":
        return nn.Linear(shape[0], layer.channels, layer.bias)
    if layer.kind == "reshape":
        assert layer.shape is not None
        return nn.Unflatten(1, layer.shape)
    if layer.kind == "upsample":
        return nn.Upsample(scale_factor=float(layer.factor), mode=layer.mode)
    if layer.kind == "pixel_shuffle":
        return nn.PixelShuffle(layer.factor)
    if layer.kind == "batch_norm":
        norm = nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d
        return norm(shape[0], eps=layer.eps, momentum=layer.momentum)
    return _convolution(layer, shape) if layer.kind == "conv" else _transposed(layer, shape)


def _convolution(layer: Layer, shape: Shape) -> nn.Conv2d:
    before, after = layer.padding
    sizes = (shape[0], layer.channels, layer.kernel, layer.stride)
    if before == after:
        return nn.Conv2d(*sizes, padding=before, bias=layer.bias)
    padded = PaddedConv2d(*sizes, bias=layer.bias)
    padded.around = layer.padding
    return padded


def _transposed(layer: Layer, shape: Shape) -> nn.ConvTranspose2d:
    before, after = layer.padding
    sizes = (shape[0], layer.channels, layer.kernel, layer.stride)
    if 0 <= before - after < max(layer.stride, 1):  # what torch can say: less is cut off after than before
        return nn.ConvTranspose2d(*sizes, before, before - after, bias=layer.bias)
    if after < before:
        raise ValueError(f"a transposed convolution of stride {layer.stride} cannot cut off {layer.padding}")
    cropped = CroppedConvTranspose2d(*sizes, before, bias=layer.bias)
    cropped.extra = after - before
    return cropped
