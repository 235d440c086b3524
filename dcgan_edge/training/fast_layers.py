"""Layers with the weights of torch's own and the same results, for the share of a batch of one thread.

Three convolutions of a DCGAN are far from what a core can do in torch: the one that reads the image, the one
that writes it, and the one from a latent. As matrix products of patches (Chellapilla et al. 2006, "High
Performance Convolutional Neural Networks for Document Processing") they are 3 to 7 times as fast. BatchNorm
normalises by the statistics of the whole batch, of which a thread has only a part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import fold, unfold

FEW = 4  # channels of an image, at most
Total = Callable[[Tensor], Tensor]  # the sum over all shards of what each passes in, in a fixed order


def use_fast_layers(network: nn.Module, total: Total, random: torch.Generator) -> nn.Module:
    """Replace the layers of `network` that there is a faster one for here, and return it. Its weights stay.

    `total` is called by BatchNorm, in both directions, by every shard at the same place; dropout draws from
    `random`.
    """
    for module in network.modules():
        for name, child in module.named_children():
            layer = _fast(child, total, random)
            if layer is not None:
                setattr(module, name, layer)
    return network


def _fast(layer: nn.Module, total: Total, random: torch.Generator) -> nn.Module | None:
    if isinstance(layer, nn.BatchNorm2d):
        return WholeBatchNorm(layer, total)
    if isinstance(layer, nn.Dropout):
        return ShardDropout(layer, random)
    if isinstance(layer, nn.ReLU | nn.LeakyReLU):
        layer.inplace = True
    if isinstance(layer, nn.Conv2d) and layer.in_channels <= FEW and _is_plain(layer):
        return PatchConvolution(layer)
    if isinstance(layer, nn.ConvTranspose2d) and _is_plain(layer):
        if layer.out_channels <= FEW and layer.output_padding == (0, 0):
            return PatchTransposedConvolution(layer)
        if layer.stride == (1, 1) and layer.padding == layer.output_padding == (0, 0) and layer.bias is None:
            return Projection(layer)
    return None


def _is_plain(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    return layer.groups == 1 and layer.dilation == (1, 1) and isinstance(layer.padding, tuple)


def _is_for_us(maps: Tensor) -> bool:
    """Return whether `maps` are what torch is slow with: float32 on a CPU."""
    return maps.is_cpu and maps.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


class _Wrapped(nn.Module):
    """A layer that uses the parameters of another, under their own names."""

    def __init__(self, layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.layer: tuple[nn.Module] = (layer,)  # in a tuple, so that it is no child


class PatchConvolution(_Wrapped):
    """A convolution of images with few channels: one row for each patch, times the weights."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__(layer)
        self.stride, self.padding = layer.stride, layer.padding

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, out channels, h, w) in channels-last order of `images` (n, in channels, h, w)."""
        if not _is_for_us(images):
            plain: Tensor = self.layer[0](images)
            return plain
        output: Tensor = _applied(
            _PatchConvolution, images, self.weight, self.bias, self.stride, self.padding
        )
        return output


class PatchTransposedConvolution(_Wrapped):
    """A transposed convolution to images with few channels: each position times the weights is a patch, and
    patches that overlap are added.
    """

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__(layer)
        self.stride, self.padding = layer.stride, layer.padding

    def forward(self, maps: Tensor) -> Tensor:
        """Return images (n, out channels, h, w) of `maps` (n, in channels, h, w)."""
        if not _is_for_us(maps):
            plain: Tensor = self.layer[0](maps)
            return plain
        output: Tensor = _applied(_PatchTransposedConvolution, maps, self.weight, self.stride, self.padding)
        return output if self.bias is None else output + self.bias.view(-1, 1, 1)


class Projection(_Wrapped):
    """A transposed convolution of a single pixel: one matrix product."""

    def forward(self, latents: Tensor) -> Tensor:
        """Return (n, out channels, k, k) in channels-last order of `latents` (n, in channels, 1, 1)."""
        if latents.shape[2:] != (1, 1) or not _is_for_us(latents):
            output: Tensor = self.layer[0](latents)
            return output
        weight = self.weight.permute(0, 2, 3, 1)  # how they lie in memory
        rows = latents.flatten(1) @ weight.flatten(1)
        return rows.view(-1, *weight.shape[1:]).permute(0, 3, 1, 2)


def _applied(function: Any, *inputs: Any) -> Any:
    """Return `function.apply(*inputs)`, which torch has no types for."""
    return function.apply(*inputs)


class _PatchConvolution(Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.geometry = stride, padding
        return torch.conv2d(images, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        images, weight = ctx.saved_tensors
        stride, padding = ctx.geometry
        needs_images, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        back = None
        if needs_images:
            rows = gradient.permute(0, 2, 3, 1).reshape(-1, len(weight)) @ weight.flatten(1)
            back = _overlapped(rows, images.shape, weight.shape[2:], stride, padding)
        if not (needs_weight or needs_bias):
            return back, None, None, None, None
        _, weights, bias = torch.ops.aten.convolution_backward(
            gradient, images, weight, [len(weight)], stride, padding, [1, 1], False, [0, 0], 1,
            [False, needs_weight, needs_bias],
        )  # fmt: skip
        return back, weights, bias, None, None


class _PatchTransposedConvolution(Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: Any, padding: Any) -> Tensor:
        size = [
            (side - 1) * step - 2 * pad + k
            for side, step, pad, k in zip(maps.shape[2:], stride, padding, weight.shape[2:], strict=True)
        ]
        rows = maps.permute(0, 2, 3, 1).reshape(-1, len(weight))
        shape = (len(maps), weight.shape[1], *size)
        ctx.save_for_backward(rows, weight)
        ctx.geometry = (maps.shape, stride, padding)
        return _overlapped(rows @ weight.flatten(1), shape, weight.shape[2:], stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        rows, weight = ctx.saved_tensors
        (count, channels, *size), stride, padding = ctx.geometry
        patches = _patches(gradient, weight.shape[2:], stride, padding)
        maps = (patches @ weight.flatten(1).t()).view(count, *size, channels).permute(0, 3, 1, 2)
        weights = (rows.t() @ patches).view(weight.shape) if ctx.needs_input_grad[1] else None
        return maps, weights, None, None


def _patches(images: Tensor, kernel: Any, stride: Any, padding: Any) -> Tensor:
    """Return one row of channels * k * k for each patch of each image."""
    columns = unfold(images, kernel, padding=padding, stride=stride)
    return columns.transpose(1, 2).reshape(-1, columns.shape[1])


def _overlapped(rows: Tensor, shape: Any, kernel: Any, stride: Any, padding: Any) -> Tensor:
    """Return images of `shape`: the adjoint of `_patches`."""
    columns = rows.view(shape[0], -1, rows.shape[1]).transpose(1, 2)
    return fold(columns, shape[2:], kernel, padding=padding, stride=stride)


class ShardDropout(nn.Dropout):
    """Dropout by random numbers of the shard's own, as torch's generator is one for all threads."""

    def __init__(self, layer: nn.Dropout, random: torch.Generator) -> None:
        super().__init__(layer.p)
        self.random = random

    def forward(self, maps: Tensor) -> Tensor:
        """Return `maps` with each component 0 with probability p, and the others divided by 1 - p."""
        kept = torch.empty_like(maps).bernoulli_(1.0 - self.p, generator=self.random)
        return maps * kept.div_(1.0 - self.p)


class WholeBatchNorm(nn.Module):
    """BatchNorm of a shard by the statistics of the whole batch, in training mode.

    Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1.
    """

    def __init__(self, layer: nn.BatchNorm2d, total: Total) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.eps, self.momentum, self.total = layer.eps, layer.momentum or 0.1, total
        self._kept: nn.BatchNorm2d | None = None

    def keep(self, layer: nn.Module | None) -> None:
        """Update the running statistics of `layer`, a BatchNorm; one shard does, None in all others."""
        self.__dict__["_kept"] = layer  # no child, which would be in the parameters

    def forward(self, maps: Tensor) -> Tensor:
        """Return `maps` (n, channels, h, w), n of the whole batch, normalised over the whole batch."""
        parts: tuple[Tensor, ...] = _applied(
            _WholeBatchNorm, maps, self.weight, self.bias, self.eps, self.total
        )
        output, mean, variance, count = parts
        if self._kept is not None:
            self._update(self._kept, mean, variance * (count / (count - 1)))
        return output

    def _update(self, layer: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
        for running, value in ((layer.running_mean, mean), (layer.running_var, variance)):
            if running is not None:
                running.lerp_(value.to(running.dtype), self.momentum)
        if layer.num_batches_tracked is not None:
            layer.num_batches_tracked.add_(1)


class _WholeBatchNorm(Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor, eps: float, total: Total) -> Any:
        mean, variance = torch.ops.aten.batch_norm_update_stats(maps, None, None, 0.0)
        here = maps.numel() // maps.shape[1]
        first, second = mean.double(), variance.double()
        moments = torch.stack([torch.ones_like(first), first, second + first * first]).mul_(here)
        counts, first, second = total(moments)
        first, second = first / counts, second / counts
        mean, variance = first.float(), (second - first * first).clamp_(min=0.0).float()
        output, _, _ = torch.native_batch_norm(maps, weight, bias, mean, variance, False, 0.0, eps)
        ctx.save_for_backward(maps, weight, mean, variance)
        ctx.eps, ctx.total, ctx.count = eps, total, counts[0]
        ctx.mark_non_differentiable(mean, variance, ctx.count)
        return output, mean, variance, ctx.count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> Any:
        maps, weight, mean, variance = ctx.saved_tensors
        inverse = (variance + ctx.eps).rsqrt()
        _, scales, shifts = torch.ops.aten.native_batch_norm_backward(
            gradient, maps, weight, mean, variance, mean, inverse, False, ctx.eps, [False, True, True]
        )
        scale, shift = (ctx.total(torch.stack([scales, shifts]).double()) / ctx.count).float()
        # weight / deviation * (gradient - shift - (maps - mean) / deviation * scale), as one line in maps
        slope = -weight * inverse * inverse * scale
        constant = -weight * inverse * shift - slope * mean
        result = gradient * (weight * inverse).view(-1, 1, 1)
        result.addcmul_(maps, slope.view(-1, 1, 1)).add_(constant.view(-1, 1, 1))
        return result, scales, shifts, None, None
