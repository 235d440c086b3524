"""BatchNorm folded in the exported graph: into convolutions, dense layers, and dense layers reshaped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from dcgan_edge.artifact import Architecture, BatchProfile
from dcgan_edge.export.onnx.graph import build_graph

LATENTS = torch.randn(3, 6, 1, 1, generator=torch.Generator().manual_seed(0))


def settled(*layers: nn.Module) -> nn.Sequential:
    """Layers whose BatchNorm statistics are far from where they start."""
    torch.manual_seed(1)
    for layer in layers:
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias)
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.2, 4)
    return nn.Sequential(*layers).eval()


def image(*layers: nn.Module) -> nn.Sequential:
    return settled(*layers, nn.ConvTranspose2d(5, 1, 4, 2, 1), nn.Tanh())


CASES: dict[str, tuple[Callable[[], nn.Sequential], set[str]]] = {
    "transposed": (
        lambda: image(nn.ConvTranspose2d(6, 5, 4, bias=False), nn.BatchNorm2d(5), nn.ReLU()),
        set(),
    ),
    "convolution": (
        lambda: image(nn.Upsample(scale_factor=4), nn.Conv2d(6, 5, 3, padding=1), nn.BatchNorm2d(5)),
        set(),
    ),
    "linear": (
        lambda: image(
            nn.Flatten(), nn.Linear(6, 80), nn.BatchNorm1d(80), nn.ReLU(), nn.Unflatten(1, (5, 4, 4))
        ),
        set(),
    ),
    "reshaped": (
        lambda: image(
            nn.Flatten(), nn.Linear(6, 80), nn.Unflatten(1, (5, 4, 4)), nn.BatchNorm2d(5), nn.ReLU()
        ),
        set(),
    ),
    "alone": (
        lambda: image(nn.ConvTranspose2d(6, 5, 4), nn.ReLU(), nn.BatchNorm2d(5), nn.ReLU()),
        {"Mul", "Add"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_folding_keeps_the_function(name: str) -> None:
    build, rest = CASES[name]
    layers = build()
    model = build_graph(layers, Architecture("custom", 8, 1, 0, 6), BatchProfile())
    operators = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in operators
    assert operators & {"Mul", "Add"} == rest
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (images,) = session.run(None, {"latents": LATENTS.numpy()})
    with torch.no_grad():
        expected = layers(LATENTS).numpy()
    # Weights are rounded to float32 once more: a few steps of 1.2e-7 on values of up to ten.
    np.testing.assert_allclose(images, expected, atol=1e-5, rtol=1e-5)
    assert any(
        "BatchNorm" in type(module).__name__ for module in layers.modules()
    )  # the original is as it was
