"""Parametrised weights, as torch itself writes them, against the weights that torch computes in eval mode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import utils
from torch.nn.utils import parametrizations

from dcgan_edge.errors import ArtifactError
from dcgan_edge.export.foreign.containers import read_tensors
from dcgan_edge.export.foreign.parametrisations import fold

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "dense": lambda: nn.Linear(6, 5),
    "square dense": lambda: nn.Linear(6, 6),
    "convolution": lambda: nn.Conv2d(4, 3, 3),
    "square convolution": lambda: nn.Conv2d(6, 6, 3, bias=False),
    "transposed": lambda: nn.ConvTranspose2d(4, 3, 4, 2, 1),
    "square transposed": lambda: nn.ConvTranspose2d(6, 6, 4, 2, 1),
    "to one channel": lambda: nn.ConvTranspose2d(4, 1, 4, 2, 1),
}
WAYS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "old spectral norm": utils.spectral_norm,
    "new spectral norm": parametrizations.spectral_norm,
    "new weight norm": parametrizations.weight_norm,
    "new weight norm along axis 1": lambda layer: parametrizations.weight_norm(layer, dim=1),
    "new weight norm of all": lambda layer: parametrizations.weight_norm(layer, dim=None),  # type: ignore[arg-type]  # its documentation allows it,
}


def used(layer: nn.Module) -> Tensor:
    """A few calls in training mode, then the weight that a call in eval mode takes."""
    shape: tuple[int, ...] = (2, 6)
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        shape = (2, layer.in_channels, 5, 5)
    for _ in range(3):
        layer(torch.randn(shape))
    layer.eval()(torch.randn(shape))
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight.detach()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", LAYERS)
def test_folded_weights_are_those_of_torch(tmp_path: Path, kind: str, way: str) -> None:
    torch.manual_seed(0)
    layer = WAYS[way](LAYERS[kind]())
    expected = used(layer)
    torch.save(nn.Sequential(layer).state_dict(), tmp_path / "g.pth")
    found = read_tensors(tmp_path / "g.pth").tensors
    assert set(found) <= {"0.weight", "0.bias"}
    assert torch.equal(found["0.weight"], expected)  # the same operations in the same order


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("kind", LAYERS)
def test_old_weight_norm_is_folded(kind: str) -> None:
    layer = utils.weight_norm(LAYERS[kind]())
    with torch.no_grad():
        cast(Tensor, layer.weight_g).mul_(3)
    folded, notes = fold(dict(layer.state_dict()), "g.pth")
    assert torch.equal(folded["weight"], used(layer))
    assert len(notes) == 1


def test_the_order_of_the_file_stays(tmp_path: Path) -> None:
    network = nn.Sequential(
        nn.Linear(4, 4), parametrizations.spectral_norm(nn.Linear(4, 5)), nn.BatchNorm1d(5), nn.Linear(5, 2)
    )
    folded, _ = fold(dict(network.state_dict()), "g.pth")
    assert [name for name in folded if name.endswith(".weight")] == [f"{n}.weight" for n in range(4)]


def test_the_first_spectral_norm_had_no_second_vector() -> None:
    torch.manual_seed(0)
    layer = WAYS["old spectral norm"](nn.Linear(6, 5))
    for _ in range(50):
        layer(torch.randn(2, 6))
    state = {name: value for name, value in layer.state_dict().items() if name != "weight_v"}
    folded, _ = fold(state, "g.pth")
    # After fifty steps both vectors have converged, and one follows from the other to rounding.
    torch.testing.assert_close(folded["weight"], used(layer), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "more",
    [
        {"0.parametrizations.weight.original": (4, 4), "0.parametrizations.weight.0.base": (4, 4)},
        {"0.weight_orig": (4, 4), "0.weight_mask": (4, 4)},
        {"0.weight_orig": (4, 4), "0.weight_u": (3,), "0.weight_v": (4,)},
        {"0.weight_g": (2, 2, 1, 1), "0.weight_v": (2, 2, 3, 3)},
        {"0.parametrizations.weight.original0": (3, 1), "0.parametrizations.weight.original1": (4, 4)},
    ],
)
def test_parametrisations_that_are_not_known_are_refused(more: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ArtifactError):
        fold({name: torch.ones(shape) for name, shape in more.items()}, "g.pth")
