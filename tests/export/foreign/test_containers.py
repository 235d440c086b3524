"""Files of weights as others write them: what is read out of them, and what is never done with them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.export.foreign.containers import read_tensors

LATENT = 6


def generator(seed: int = 0) -> nn.Sequential:
    """A generator of 8x8 pixels whose BatchNorm has statistics of its own."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.ConvTranspose2d(LATENT, 8, 4, 1, 0, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 3, 4, 2, 1),
        nn.Tanh(),
    )
    network(torch.randn(16, LATENT, 1, 1))
    return network


def weights(network: nn.Module) -> dict[str, Tensor]:
    """What is expected of `network`: its state without the counters of BatchNorm."""
    return {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}


def discriminator() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 4))


def adam(network: nn.Module) -> dict[str, Any]:
    """The state of an optimiser that has made a step."""
    optimiser = torch.optim.Adam(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    state: dict[str, Any] = optimiser.state_dict()
    return state


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    """Whether names, order and values are those expected, as contiguous float32."""
    return list(found) == list(expected) and all(
        value.dtype == torch.float32 and value.is_contiguous() and torch.equal(value, expected[name])
        for name, value in found.items()
    )


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", ["g.pth", "g.pth.tar", "g.ckpt", "pytorch_model.bin", "strange"])
def test_a_state_dict_comes_back_whatever_it_is_called(tmp_path: Path, name: str, legacy: bool) -> None:
    torch.save(generator().state_dict(), tmp_path / name, _use_new_zipfile_serialization=not legacy)
    found = read_tensors(tmp_path / name)
    assert same(found.tensors, weights(generator()))
    assert (found.key, found.others) == ("", ())


def test_safetensors_come_back(tmp_path: Path) -> None:
    save_file(generator().state_dict(), tmp_path / "model.safetensors")
    for path in (tmp_path / "model.safetensors", tmp_path):
        found = read_tensors(path).tensors
        assert same({name: found[name] for name in weights(generator())}, weights(generator()))


def test_the_generator_is_chosen_among_networks_and_optimisers(tmp_path: Path) -> None:
    content = {
        "epoch": 3,
        "args": argparse.Namespace(nz=LATENT, out=Path("runs")),
        "best": np.float64(3.5),
        "netD": discriminator().state_dict(),
        "netG": generator().state_dict(),
        "optimizerG": adam(generator()),
    }
    torch.save(content, tmp_path / "all.pth")
    found = read_tensors(tmp_path / "all.pth")
    assert found.key == "netG"
    assert same(found.tensors, weights(generator()))
    assert {other.partition(":")[0] for other in found.others} == {"netD", "optimizerG"}
    assert same(read_tensors(tmp_path / "all.pth", key="netD").tensors, discriminator_weights(tmp_path))


def discriminator_weights(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(folder / "all.pth", weights_only=False)["netD"]
    return found


class Evil:
    """What runs a program when it is unpickled as usual."""

    def __init__(self, function: Callable[..., object], argument: str) -> None:
        self.function, self.argument = function, argument

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, (self.argument,)


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_of_a_file_is_run(tmp_path: Path, legacy: bool) -> None:
    evil = Evil(eval, f"open({str(tmp_path / 'trace')!r}, 'w')")
    content = {**generator().state_dict(), "x": evil}
    torch.save(content, tmp_path / "g.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ArtifactError):
        read_tensors(tmp_path / "g.pth")
    assert not (tmp_path / "trace").exists()


def test_no_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_tensors(tmp_path / "none.pth")
