"""Headers of checkpoints from elsewhere: later ones, damaged ones, and whatever hypothesis makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from dcgan_edge.errors import ArtifactError
from dcgan_edge.latents import latents
from dcgan_edge.training import CHECKPOINT_NAME, load_generator, read_header
from dcgan_edge.training.checkpoint import save_checkpoint
from dcgan_edge.training.ema import measure_statistics
from dcgan_edge.training.header import METADATA_KEY, Header
from dcgan_edge.training.state import TrainState, new_state
from dcgan_edge.training.steps import train_step
from tests.training.tiny_run import BATCH, SMALL, tiny_config

CPU = torch.device("cpu")
HEADER = Header(tiny_config(Path("digits")), "fp32", 2, 0, 2, 83, 1.5, {"torch": torch.__version__})
Z = torch.from_numpy(latents(range(8), SMALL.latent_dim))


def trained_state() -> TrainState:
    torch.manual_seed(0)
    state = new_state(HEADER.config, CPU)
    for _ in range(HEADER.step):
        train_step(
            state, torch.randint(0, 256, (BATCH, 1, 28, 28), dtype=torch.uint8), bf16=False, ema_decay=0.9
        )
    measure_statistics(state.average, torch.randn(256, SMALL.latent_dim, 1, 1))
    return state


@pytest.fixture(scope="module")
def state() -> TrainState:
    return trained_state()


@pytest.fixture(scope="module")
def saved(state: TrainState, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / CHECKPOINT_NAME
    save_checkpoint(path, state, HEADER)
    return path


def altered(
    source: Path,
    target: Path,
    *,
    tensor: Callable[[dict[str, Tensor]], object] = lambda named: None,
    header: Callable[[dict[str, Any]], object] = lambda facts: None,
) -> Path:
    """A copy of a checkpoint whose tensors and header went through the two functions."""
    named = load_file(source)
    with safe_open(source, framework="pt") as file:
        facts = json.loads(file.metadata()[METADATA_KEY])
    tensor(named)
    header(facts)
    save_file(named, target, {METADATA_KEY: json.dumps(facts)})
    return target


def test_a_later_schema_says_so(saved: Path, tmp_path: Path) -> None:
    path = altered(saved, tmp_path / "later.safetensors", header=lambda facts: facts.update(schema_version=2))
    with pytest.raises(ArtifactError, match="has checkpoint schema 2; this program reads 1"):
        read_header(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"x"', "[" * 100_000, '{"a": ' * 50_000])
def test_metadata_that_is_no_header_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.safetensors"
    save_file({"weight": torch.zeros(1)}, path, {METADATA_KEY: text})
    with pytest.raises(ArtifactError, match=r"header of odd\.safetensors"):
        read_header(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(data=st.data(), value=JSON)
def test_any_field_may_hold_anything(data: st.DataObject, value: Any) -> None:
    """A header with one field exchanged is a header or an ArtifactError, never another exception."""
    facts = json.loads(HEADER.to_json())
    part = data.draw(st.sampled_from([facts, facts["config"], facts["config"]["architecture"]]))
    part[data.draw(st.sampled_from(sorted(part)))] = value
    try:
        header = Header.from_json(json.dumps(facts), "it")
    except ArtifactError:
        return
    assert isinstance(header.config.batch, int)


def test_the_file_may_go_once_it_is_loaded(saved: Path, tmp_path: Path) -> None:
    """The weights are a copy, not a window onto the file."""
    path = tmp_path / "gone.safetensors"
    path.write_bytes(saved.read_bytes())
    generator, _ = load_generator(path)
    with torch.no_grad():
        before = generator(Z).numpy().copy()
        path.write_bytes(b"\xff" * path.stat().st_size)
        np.testing.assert_array_equal(generator(Z).numpy(), before)
