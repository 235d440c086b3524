"""Files of weights as others write them: what is read out of them, and what is never done with them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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
    content: dict[str, Any] = {
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
    assert same(read_tensors(tmp_path / "all.pth", key="netD").tensors, content["netD"])


Named = dict[str, Tensor]


def renamed(prefix: str, tensors: Named) -> Named:
    return {prefix + name: value for name, value in tensors.items()}


@pytest.mark.parametrize(
    ("prefix", "stripped"),
    [
        ("module.", "module."),
        ("_orig_mod.", "_orig_mod."),
        ("module._orig_mod.model.", "_orig_mod.module.model."),
        ("netG.module.", "netG.module."),
        ("generator.", "generator."),
        ("model.generator.net.", "model.generator.net."),
        ("main.", ""),
        ("layers.", ""),
    ],
)
def test_prefixes_of_wrappers_are_stripped(tmp_path: Path, prefix: str, stripped: str) -> None:
    torch.save(renamed(prefix, generator().state_dict()), tmp_path / "g.pth")
    found = read_tensors(tmp_path / "g.pth")
    assert same(found.tensors, renamed("" if stripped else prefix, weights(generator())))
    assert found.key == ""
    assert any(stripped in note for note in found.notes)


def test_compiled_layers_within_are_stripped(tmp_path: Path) -> None:
    names = {name: f"{name[0]}._orig_mod{name[1:]}" for name in generator().state_dict()}
    torch.save({names[k]: v for k, v in generator().state_dict().items()}, tmp_path / "g.pth")
    assert same(read_tensors(tmp_path / "g.pth").tensors, weights(generator()))


def test_an_average_of_swa_is_read_without_its_counter(tmp_path: Path) -> None:
    torch.save(torch.optim.swa_utils.AveragedModel(generator()).state_dict(), tmp_path / "g.pth")
    assert same(read_tensors(tmp_path / "g.pth").tensors, weights(generator()))


ONE, OTHER = generator(1).state_dict(), discriminator().state_dict()
CONTENTS: dict[str, tuple[dict[str, Any], str]] = {
    "official example": (dict(generator().state_dict()), ""),
    "state_dict": ({"state_dict": generator().state_dict(), "epoch": 1}, "state_dict"),
    "G_state": ({"G_state_dict": generator().state_dict(), "D_state_dict": OTHER}, "G_state_dict"),
    "generator": ({"generator": generator().state_dict(), "discriminator": OTHER}, "generator"),
    "G": ({"D": OTHER, "G": generator().state_dict(), "opt_G": adam(generator())}, "G"),
    "g_ema": (
        {"g": ONE, "d": OTHER, "g_ema": generator().state_dict(), "g_optim": adam(generator())},
        "g_ema",
    ),
    "params_ema": ({"params": ONE, "params_ema": generator().state_dict()}, "params_ema"),
    "ema": ({"netG": ONE, "ema": generator().state_dict()}, "ema"),
    "deeper": ({"models": {"gan": {"gen": generator().state_dict(), "disc": OTHER}}}, "models.gan.gen"),
    "a list": ({"models": [{"G": generator().state_dict()}, {"D": OTHER}]}, "models.0.G"),
    "lightning": (
        {
            "state_dict": {
                **renamed("discriminator.model.", OTHER),
                **renamed("generator.model.", generator().state_dict()),
                **renamed("loss.vgg.", OTHER),
            },
            "optimizer_states": [adam(generator())],
            "hyper_parameters": {"latent_dim": LATENT},
        },
        "state_dict.generator",
    ),
    "names with an average": (
        {**renamed("online_model.", ONE), **renamed("ema_model.", generator().state_dict())},
        "ema_model",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONTENTS)
def test_the_generator_is_found_where_others_put_it(tmp_path: Path, kind: str) -> None:
    content, key = CONTENTS[kind]
    torch.save(content, tmp_path / "g.pth")
    found = read_tensors(tmp_path / "g.pth")
    assert found.key == key
    assert same(found.tensors, weights(generator()))
    for other in found.others:
        if "tensors" in other:  # every network that is listed can be asked for by that name
            name = other.partition(":")[0].replace("the top level", "")
            assert read_tensors(tmp_path / "g.pth", key=name).tensors


def test_a_key_may_go_into_the_names(tmp_path: Path) -> None:
    torch.save({"vae": {**renamed("encoder.", OTHER), **renamed("decoder.", ONE)}}, tmp_path / "g.pth")
    found = read_tensors(tmp_path / "g.pth", key="vae.decoder")
    assert same(found.tensors, weights(generator(1)))
    assert found.key == "vae.decoder"


def test_a_key_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    torch.save({"netG": ONE, "netD": OTHER}, tmp_path / "g.pth")
    with pytest.raises(UsageError, match="netG, netD"):
        read_tensors(tmp_path / "g.pth", key="netE")


def test_two_generators_are_asked_about(tmp_path: Path) -> None:
    torch.save({"netG_A": ONE, "netG_B": generator().state_dict()}, tmp_path / "g.pth")
    with pytest.raises(UsageError, match="--key netG_A"):
        read_tensors(tmp_path / "g.pth")
    assert same(read_tensors(tmp_path / "g.pth", key="netG_B").tensors, weights(generator()))


@pytest.mark.parametrize(
    "content", [{"netD": OTHER}, {"epoch": 3}, [1, 2], {"a": torch.ones(3)}, torch.ones(2, 2)]
)
def test_what_holds_no_generator_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "g.pth")
    with pytest.raises(ArtifactError):
        read_tensors(tmp_path / "g.pth")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_single(tmp_path: Path, dtype: torch.dtype) -> None:
    torch.save({k: v.to(dtype) for k, v in weights(generator()).items()}, tmp_path / "g.pth")
    found = read_tensors(tmp_path / "g.pth")
    assert same(found.tensors, {k: v.to(dtype).float() for k, v in weights(generator()).items()})
    assert any(str(dtype).removeprefix("torch.") in note for note in found.notes)


def test_views_and_shared_weights_are_read(tmp_path: Path) -> None:
    whole = torch.rand(4, 6)
    torch.save({"a": whole, "b": whole, "c": whole[1:3], "d": whole.t()}, tmp_path / "g.pth")
    found = read_tensors(tmp_path / "g.pth").tensors
    assert same(found, {"a": whole, "b": whole, "c": whole[1:3], "d": whole.t()})


@pytest.mark.parametrize("legacy", [False, True])
def test_a_whole_module_is_refused_with_the_lines_that_help(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "g.pth"
    torch.save(generator(), path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ArtifactError) as refusal:
        read_tensors(path)
    lines = "\n".join(line.strip() for line in str(refusal.value).splitlines()[-2:])
    names: dict[str, Any] = {"torch": torch}
    exec(lines.replace("'g", f"'{tmp_path}/g"), names)
    assert same(read_tensors(tmp_path / "g.weights.pth").tensors, weights(generator()))


def test_shards_and_links_of_a_hub_are_followed(tmp_path: Path) -> None:
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    folder.mkdir()
    state = generator().state_dict()
    shards = {"model-00001-of-00002.safetensors": ("0.", "1."), "model-00002-of-00002.safetensors": ("3.",)}
    where: dict[str, str] = {}
    for number, (name, starts) in enumerate(shards.items()):
        mine = {k: v for k, v in state.items() if k.startswith(starts)}
        save_file(mine, blobs / str(number))
        (folder / name).symlink_to(blobs / str(number))
        where |= dict.fromkeys(mine, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    found = read_tensors(folder).tensors
    assert same({name: found[name] for name in weights(generator())}, weights(generator()))


def test_a_folder_prefers_safetensors_and_asks_where_it_cannot_tell(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError):
        read_tensors(tmp_path)
    torch.save(ONE, tmp_path / "pytorch_model.bin")
    assert same(read_tensors(tmp_path).tensors, weights(generator(1)))
    save_file(generator().state_dict(), tmp_path / "model.safetensors")
    assert torch.equal(read_tensors(tmp_path).tensors["3.weight"], generator().state_dict()["3.weight"])
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").unlink()
    for name in ("one.pth", "two.pth"):
        torch.save(ONE, tmp_path / name)
    with pytest.raises(UsageError, match=r"one\.pth, two\.pth"):
        read_tensors(tmp_path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A sound file of each container."""
    folder = tmp_path_factory.mktemp("sound")
    content = {"netG": generator().state_dict(), "netD": OTHER, "n": argparse.Namespace(a=1)}
    torch.save(content, folder / "zip")
    torch.save(content, folder / "legacy", _use_new_zipfile_serialization=False)
    save_file(generator().state_dict(), folder / "safetensors")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@given(
    kind=st.sampled_from(["zip", "legacy", "safetensors"]),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=8)), min_size=1, max_size=4),
    end=st.one_of(st.none(), st.integers(0, 10_000)),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changed_files_are_read_or_refused(
    tmp_path: Path, sound: dict[str, bytes], kind: str, changes: list[tuple[int, bytes]], end: int | None
) -> None:
    data = bytearray(sound[kind])
    for place, piece in changes:
        data[place : place + len(piece)] = piece
    (tmp_path / "g").write_bytes(data[:end])
    try:
        found = read_tensors(tmp_path / "g")
    except (ArtifactError, UsageError):
        return
    assert all(torch.isfinite(value).all() for value in found.tensors.values())


def test_no_file_is_a_usage_error(tmp_path: Path) -> None:
    for name in ("none.pth", "a\0b", "a" * 300, "none/g.pth"):
        with pytest.raises(UsageError):
            read_tensors(tmp_path / name)
