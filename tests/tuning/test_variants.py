"""Which artifacts of a checkpoint take part, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

import dcgan_edge
from dcgan_edge.profile import NAME, read_profile
from dcgan_edge.tuning import candidates, search
from tests.tuning.made_up import Machine

variants = pytest.importorskip("dcgan_edge.tuning.variants", exc_type=ImportError)


def test_of_few_layers_every_choice_is_tried() -> None:
    assert variants.kept_layers(["a", "b", "c"]) == [
        ("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"),
    ]  # fmt: skip
    assert variants.kept_layers(["a"]) == []


def test_of_many_layers_the_most_sensitive_are_kept_one_after_the_other() -> None:
    assert variants.kept_layers(list("edcba")) == [tuple("e"), tuple("ed"), tuple("edc"), tuple("edcb")]


def test_files_name_the_form_and_the_layers() -> None:
    assert variants.file_stem("any", ()) == "generator"
    assert variants.file_stem("openvino", ("ConvTranspose_0", "/net/Conv")) == (
        "generator-openvino-keep-ConvTranspose_0-_net_Conv"
    )


@pytest.mark.torch
def test_a_checkpoint_is_written_once_and_tuned(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "cpu_count", lambda: 1)
    options = {"precisions": ["fp32"], "targets": ["any", "openvino"], "backends": ["onnxruntime"]}
    monkeypatch.setattr(search, "take_trials", Machine(lambda candidate, workload: 1.0))
    found = dcgan_edge.tune(checkpoint, out=tmp_path, device="cpu", **options)  # type: ignore[arg-type]
    monkeypatch.setattr(variants, "write_generator", None)  # and nothing is written again
    monkeypatch.setattr(variants, "build_graph", lambda *_: None)
    assert dcgan_edge.tune(checkpoint, out=tmp_path, device="cpu", **options).rows == found.rows  # type: ignore[arg-type]
    assert found.path == tmp_path / NAME
    assert {way.file for way in read_profile(found.path).ways} == {
        "generator.fp32.onnx", "generator-openvino.fp32.onnx",
    }  # fmt: skip
