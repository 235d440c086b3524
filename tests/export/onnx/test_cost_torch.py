"""FLOPs of the exported generators and of any convolution against independent counts made with PyTorch."""

from __future__ import annotations

import copy
import functools
from typing import Any

import onnx
import pytest
import torch
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dcgan_edge.artifact import Architecture, BatchProfile
from dcgan_edge.export.onnx.cost import count, count_nodes
from dcgan_edge.export.onnx.graph import build_graph
from dcgan_edge.export.onnx.precision import to_fp16
from tests.conftest import lively_generator
from tests.export.onnx.test_cost import single

DCGAN64 = Architecture("dcgan", 64, 3, 8, latent_dim=100)


@functools.cache
def trained() -> nn.Module:
    """A generator all of whose layers have a bias in the end, as after training; the exporter drops zeros."""
    generator = lively_generator(DCGAN64)
    with torch.no_grad():
        list(generator.parameters())[-1].add_(0.1)
    return generator


@functools.cache
def exported() -> onnx.ModelProto:
    return build_graph(trained(), DCGAN64, BatchProfile())


def real_multiply_adds(layer: nn.Conv2d | nn.ConvTranspose2d, pixels: torch.Tensor) -> int:
    """Run the layer with ones for pixels and weights, in float64: each output is then the number of products
    that it is the sum of. PyTorch's own kernels count, by another way than the formula under test.
    """
    counting = copy.deepcopy(layer)
    counting._forward_hooks.clear()
    counting.weight = nn.Parameter(torch.ones(1, 1, *layer.kernel_size, dtype=torch.float64))
    counting.bias, counting.groups = None, 1
    out = counting(torch.ones(1, 1, *pixels.shape[2:], dtype=torch.float64))
    return int(out.sum()) * layer.in_channels * layer.out_channels // layer.groups


def layers_of(network: nn.Module, z: torch.Tensor) -> tuple[int, int]:
    """FLOPs of one image: real multiply-adds x 2 with biases, and elementwise functions one each."""
    convolutions = elementwise = 0

    def hook(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal convolutions, elementwise
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            convolutions += 2 * real_multiply_adds(layer, inputs[0])
            elementwise += output[0].numel()  # a bias, in the end BatchNorm's where the layer has none
        elif isinstance(layer, nn.ReLU | nn.Tanh):
            elementwise += output[0].numel()

    handles = [layer.register_forward_hook(hook) for layer in network.modules()]
    with torch.no_grad():
        network(z)
    for handle in handles:
        handle.remove()
    return convolutions, elementwise


def test_a_generator_counts_as_its_layers_do() -> None:
    """Exactly: both counts are of integers."""
    cost = count(exported())
    assert cost.flops == sum(layers_of(trained(), torch.zeros(1, DCGAN64.latent_dim, 1, 1)))
    assert cost.uncounted == ()


def test_torchs_flop_counter_is_the_count_without_what_padding_cuts_off() -> None:
    """FlopCounterMode multiplies whole feature maps with whole kernels and leaves biases out. A layer with
    kernel 4, stride 2, padding 1 on n pixels an axis has 4 n places, 2 of them cut off, so ours is its figure
    x ((4n - 2) / 4n) squared.
    """
    nodes = count_nodes(exported())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        trained()(torch.zeros(1, 100, 1, 1))
    layers = [node for node in nodes if node.op == "ConvTranspose"]
    whole = layers[0].flops - 64 * 4**2  # the projection has no padding; less a bias for each output
    for layer, pixels, channels in zip(layers[1:], (4, 8, 16, 32), (32, 16, 8, 3), strict=True):
        kept = ((4 * pixels - 2) / (4 * pixels)) ** 2
        whole += (layer.flops - channels * (2 * pixels) ** 2) / kept
    # 1e-12: the shares are float64, everything else is integers
    assert whole == pytest.approx(counter.get_total_flops(), rel=1e-12)


@settings(deadline=None)
@given(
    transposed=st.booleans(),
    pixels=st.integers(1, 7),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    channels=st.integers(1, 3),
    groups=st.integers(1, 2),
)
def test_any_convolution_counts_as_pytorch_computes_it(
    transposed: bool,
    pixels: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    channels: int,
    groups: int,
) -> None:
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    layer = kind(
        channels * groups,
        2 * groups,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=False,
    )
    image = torch.zeros(1, channels * groups, pixels, pixels)
    try:
        shape = list(layer(image).shape)
    except RuntimeError:  # the kernel is larger than the padded image
        reject()
    assume(all(shape))
    ends = (["batch", *image.shape[1:]], ["batch", *shape[1:]])
    how: dict[str, Any] = {
        "strides": [stride] * 2,
        "pads": [padding] * 4,
        "dilations": [dilation] * 2,
        "group": groups,
    }
    data = single("ConvTranspose" if transposed else "Conv", *ends, tuple(layer.weight.shape), **how)
    assert count(data).flops == 2 * real_multiply_adds(layer, image)


def test_half_precision_halves_weights_and_keeps_the_border() -> None:
    models = (exported(), to_fp16(exported()))
    full, half = (count(model) for model in models)
    assert half.weight_bytes * 2 == full.weight_bytes
    assert half.image_bytes == full.image_bytes == 4 * (100 + 3 * 64 * 64)
    assert half.flops == full.flops
