"""BatchNorm folded into the layer before it, so that no runtime has to do it, or does it wrongly."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from dcgan_edge.errors import EdgeError


def fold_batch_norm(generator: nn.Module) -> nn.Module:
    """Return a float32 copy of `generator`, in eval mode, without BatchNorm and with the same output.

    Every BatchNorm must follow a (transposed) convolution or a linear layer within one Sequential; its
    running statistics become part of that layer's weights. The arithmetic is done in float64.

    Raises EdgeError when a BatchNorm stands elsewhere.
    """
    folded = copy.deepcopy(generator).eval().double()
    for module in list(folded.modules()):
        if isinstance(module, nn.Sequential):
            _fold_sequential(module)
    if any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in folded.modules()):
        raise EdgeError("This generator has a BatchNorm that follows no convolution or linear layer.")
    return folded.float()


def _fold_sequential(layers: nn.Sequential) -> None:
    index = 0
    while index + 1 < len(layers):
        layer, norm = layers[index], layers[index + 1]
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
            layers[index] = fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))
        elif isinstance(layer, nn.Linear) and isinstance(norm, nn.BatchNorm1d):
            layers[index] = fuse_linear_bn_eval(layer, norm)
        else:
            index += 1
            continue
        del layers[index + 1]
