"""Checkpoints as files: what goes in comes out, and what is foreign or damaged is refused unexecuted."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.training import CHECKPOINT_NAME, load_generator, read_header
from dcgan_edge.training.checkpoint import check_checkpoint, restore_checkpoint, save_checkpoint
from dcgan_edge.training.state import TrainState, new_state, tensors
from tests.training.checkpoint_files import CPU, HEADER, Z, altered, trained_state
from tests.training.tiny_run import SMALL


def test_the_averaged_generator_comes_back(saved: Path, state: TrainState) -> None:
    generator, spec = load_generator(saved)
    assert spec.architecture == SMALL
    assert not generator.training
    assert all(value.dtype == torch.float32 for value in generator.parameters())
    with torch.no_grad():
        # the same weights; only the memory order differs, which may regroup sums: a few float32 roundings
        torch.testing.assert_close(generator(Z), state.average(Z), atol=1e-6, rtol=0)


def test_everything_else_comes_back(saved: Path, state: TrainState) -> None:
    torch.manual_seed(1)
    other = new_state(HEADER.config, CPU)
    random = load_file(saved)["rng.cpu"]
    restore_checkpoint(saved, other)
    for name, value in tensors(state).items():
        assert torch.equal(tensors(other)[name], value), name
        assert tensors(other)[name].stride() == value.stride(), name  # the fused Adam kernel relies on it
    assert torch.equal(torch.get_rng_state(), random)
    assert read_header(saved) == HEADER


def test_equal_states_are_equal_files(saved: Path, state: TrainState, tmp_path: Path) -> None:
    torch.set_rng_state(load_file(saved)["rng.cpu"])
    save_checkpoint(tmp_path / "again.safetensors", state, HEADER)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_tensors_are_named_by_what_they_are(saved: Path) -> None:
    names = set(load_file(saved))
    assert {"rng.cpu", "ema.layers.0.weight", "adam.discriminator.layers.0.bias.exp_avg_sq"} <= names
    assert {name.split(".")[0] for name in names} == {"generator", "discriminator", "ema", "adam", "rng"}


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT_NAME
    state = trained_state()
    save_checkpoint(path, state, HEADER)
    before = path.read_bytes()
    with torch.no_grad():
        next(state.discriminator.parameters())[0] = torch.inf
    with pytest.raises(EdgeError, match=r"diverged: discriminator\.layers\.0\.weight"):
        save_checkpoint(path, state, HEADER)
    assert path.read_bytes() == before


def test_no_file_is_a_usage_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path / "none.pth", tmp_path):
        with pytest.raises(UsageError, match="There is no checkpoint"):
            load_generator(path)


class Trap:
    """Unpickled, it writes a file."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.witness, "executed")


@pytest.mark.parametrize(
    "name", ["model.pth", "model.pt", "model.PTH", "model.ckpt", "checkpoint.safetensors"]
)
@pytest.mark.parametrize("archive", [False, True])
def test_pickles_are_refused_by_name_and_by_content(tmp_path: Path, name: str, archive: bool) -> None:
    witness, path = tmp_path / "witness", tmp_path / name
    if archive:
        torch.save({"weights": Trap(witness)}, path)
    else:
        path.write_bytes(pickle.dumps(Trap(witness)))
    for read in (load_generator, read_header, check_checkpoint):
        with pytest.raises(ArtifactError, match="pickle") as caught:
            read(path)
        assert caught.value.exit_code == 6
    assert not witness.exists()


def test_other_safetensors_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    for metadata in (None, {"format": "pt"}):
        save_file({"weight": torch.zeros(3)}, path, metadata)
        with pytest.raises(ArtifactError, match="not a checkpoint of dcgan-edge"):
            load_generator(path)


@pytest.mark.parametrize("share", [0.0, 1e-4, 0.01, 0.3, 0.9, 0.9999])
def test_a_truncated_file_is_refused(saved: Path, tmp_path: Path, share: float) -> None:
    data = saved.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ArtifactError, match="not a whole checkpoint"):
        load_generator(tmp_path / "cut.safetensors")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(data=st.binary(max_size=200))
def test_noise_is_refused(tmp_path: Path, data: bytes) -> None:
    for content in (data, struct.pack("<Q", len(data)) + data):
        (tmp_path / "noise.safetensors").write_bytes(content)
        with pytest.raises(ArtifactError):
            load_generator(tmp_path / "noise.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("ema.layers.0.weight"), "lacks ema.layers.0.weight"),
        (lambda t: t.update({"ema.layers.0.weight": torch.zeros(1)}), "of shape"),
        (lambda t: t["ema.layers.0.weight"][0].fill_(torch.nan), "NaN or infinite"),
        (lambda t: t["ema.layers.1.running_var"].fill_(torch.inf), "NaN or infinite"),
        (lambda t: t.update({"ema.layers.0.weight": t["ema.layers.0.weight"].double()}), "float64"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    saved: Path, tmp_path: Path, change: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    path = altered(saved, tmp_path / "odd.safetensors", tensor=change)
    with pytest.raises(ArtifactError, match=message):
        load_generator(path)


@pytest.mark.parametrize("name", ["adam.generator.layers.0.weight.exp_avg", "discriminator.layers.0.bias"])
def test_an_export_needs_the_generator_only_and_a_resume_all(saved: Path, tmp_path: Path, name: str) -> None:
    path = altered(saved, tmp_path / "part.safetensors", tensor=lambda named: named.pop(name))
    load_generator(path)
    with pytest.raises(ArtifactError, match=f"lacks {name}"):
        check_checkpoint(path)


@pytest.mark.parametrize("value", [None, torch.zeros(3, dtype=torch.uint8), torch.zeros(5056)])
def test_a_damaged_random_state_is_refused(saved: Path, tmp_path: Path, value: Tensor | None) -> None:
    def change(named: dict[str, Tensor]) -> None:
        named.pop("rng.cpu")
        if value is not None:
            named["rng.cpu"] = value

    path = altered(saved, tmp_path / "odd.safetensors", tensor=change)
    with pytest.raises(ArtifactError, match="random state"):
        restore_checkpoint(path, new_state(HEADER.config, CPU))


@pytest.mark.parametrize("name", ["width", "latent_dim"])
@pytest.mark.parametrize("value", [10**6, 10**9, 10**18, 10**40])
def test_a_header_cannot_have_a_huge_network_built(
    saved: Path, tmp_path: Path, name: str, value: int
) -> None:
    """10**9 channels would be 10**21 bytes of weights; they are compared with the file before any exist."""
    path = altered(
        saved,
        tmp_path / "huge.safetensors",
        header=lambda f: f["config"]["architecture"].update({name: value}),
    )
    for read in (load_generator, check_checkpoint):
        with pytest.raises(ArtifactError):
            read(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.clear(),
        lambda f: f.pop("config"),
        lambda f: f.update(kind="manifest"),
        lambda f: f.update(step=-1),
        lambda f: f.update(step=1.5),
        lambda f: f.update(step=True),
        lambda f: f.update(elapsed_seconds=float("nan")),
        lambda f: f.update(precision="fp8"),
        lambda f: f.update(more=1),
        lambda f: f["config"].update(batch="128"),
        lambda f: f["config"].update(batch=0),
        lambda f: f["config"].update(data=["digits"]),
        lambda f: f["config"].update(learning_rate="1e-4"),
        lambda f: f["config"].update(device="cuda:99999"),
        lambda f: f.update(step=2**60),
        lambda f: f.update(data_digest=3),
        lambda f: f.update(versions={"torch": 2}),
        lambda f: f["config"].update(epochs=None),
        lambda f: f["config"].update(device="tpu"),
        lambda f: f["config"]["architecture"].update(preset="os.system"),
        lambda f: f["config"]["architecture"].update(size=37),
        lambda f: f["config"]["architecture"].update(size="28"),
        lambda f: f["config"]["architecture"].update(distribution="cauchy"),
        lambda f: f["config"]["architecture"].pop("width"),
    ],
)
def test_a_header_that_is_not_sound_is_refused(
    saved: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    path = altered(saved, tmp_path / "odd.safetensors", header=change)
    with pytest.raises(ArtifactError, match=r"header of odd\.safetensors"):
        load_generator(path)
