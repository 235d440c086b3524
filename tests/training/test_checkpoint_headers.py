"""Headers of checkpoints from elsewhere: later ones, damaged ones, and whatever hypothesis makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from dcgan_edge.errors import ArtifactError
from dcgan_edge.training import load_generator, read_header
from dcgan_edge.training.header import METADATA_KEY, Header
from dcgan_edge.training.header import read_header as header_of
from tests.training.checkpoint_files import HEADER, Z, altered


def test_a_later_schema_says_so(saved: Path, tmp_path: Path) -> None:
    path = altered(saved, tmp_path / "later.safetensors", header=lambda facts: facts.update(schema_version=9))
    with pytest.raises(ArtifactError, match="has checkpoint schema 9"):
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
        header = header_of(json.dumps(facts), "it")
    except ArtifactError:
        return
    assert isinstance(header, Header)
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
