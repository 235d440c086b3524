from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from dcgan_edge.errors import EdgeError
from dcgan_edge.export.onnx.folding import fold_batch_norm


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


CASES: dict[str, tuple[Callable[[], nn.Sequential], tuple[int, ...]]] = {
    "transposed": (
        lambda: settled(nn.ConvTranspose2d(6, 5, 4, 2, 1, bias=False), nn.BatchNorm2d(5)),
        (3, 6, 4, 4),
    ),
    "convolution": (lambda: settled(nn.Conv2d(6, 5, 3), nn.BatchNorm2d(5), nn.ReLU()), (3, 6, 4, 4)),
    "linear": (lambda: settled(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU()), (3, 6)),
}


@pytest.mark.parametrize("name", CASES)
def test_folding_keeps_the_function(name: str) -> None:
    build, shape = CASES[name]
    layers = build()
    folded = fold_batch_norm(layers)
    assert not any("BatchNorm" in type(module).__name__ for module in folded.modules())
    x = torch.randn(shape)
    # Weights are rounded to float32 once more: a few steps of 1.2e-7 on values of up to ten.
    torch.testing.assert_close(folded(x), layers(x), atol=1e-5, rtol=1e-5)
    assert any("BatchNorm" in type(module).__name__ for module in layers.modules()), (
        "the original is untouched"
    )


def test_a_whole_generator(generator: nn.Module) -> None:
    z = torch.randn(4, 16, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(fold_batch_norm(generator)(z), generator(z), atol=1e-6, rtol=0)


def test_a_batch_norm_that_cannot_be_folded_is_an_error() -> None:
    with pytest.raises(EdgeError, match="BatchNorm"):
        fold_batch_norm(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))
