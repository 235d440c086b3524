from __future__ import annotations

import json
import tempfile
from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from dcgan_edge.artifact import (
    Architecture,
    BatchProfile,
    Manifest,
    embed_manifest,
    generator_tensors,
    read_artifact,
    sha256,
    sidecar_path,
    write_artifact,
)
from dcgan_edge.errors import ArtifactError, UsageError

ARCHITECTURE = Architecture("dcgan", 28, 1, 8)


def manifest(kind: str = "onnx") -> Manifest:
    source, result = generator_tensors(ARCHITECTURE)
    assert kind in ("onnx", "engine")
    return Manifest(
        kind="onnx" if kind == "onnx" else "engine",
        architecture=ARCHITECTURE,
        precision="fp16",
        inputs=(source,),
        outputs=(result,),
        batch=BatchProfile(1, 8, 32),
        parent_sha256="ab" * 32,
        builder="test",
        versions={"torch": "2.13.0"},
        targets=("sm86", "sm89"),
        notes={"opset": 18},
        parity={"verdict": "passed", "max_abs": 0.001},
    )


def onnx_bytes() -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    model: onnx.ModelProto = helper.make_model(graph)
    return bytes(model.SerializeToString())


def test_a_manifest_survives_its_json() -> None:
    ours = manifest().sealed(b"content")
    assert Manifest.from_json(ours.to_json(), "x") == ours
    assert ours.sha256 == sha256(b"content")
    assert ours.size == 7


def test_the_json_of_a_manifest_is_fixed() -> None:
    # The schema that other programs read: a change here needs a new SCHEMA_VERSION.
    facts = json.loads(manifest().to_json())
    assert facts["schema_version"] == 1
    assert sorted(facts) == [
        "architecture", "batch", "builder", "built_on", "inputs", "kind", "notes", "outputs", "parent_sha256",
        "parity", "precision", "schema_version", "sha256", "size", "targets", "versions",
    ]  # fmt: skip
    assert facts["inputs"][0] == {
        "name": "latents", "dtype": "float32", "shape": ["batch", 100, 1, 1], "layout": "NCHW", "range": None,
    }  # fmt: skip
    assert facts["outputs"][0]["range"] == [-1.0, 1.0]


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "generator.fp16.onnx"
    sealed = write_artifact(path, onnx_bytes(), manifest())
    assert read_artifact(path) == (sealed, onnx_bytes())


def test_an_onnx_file_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "alone.onnx"
    data = embed_manifest(onnx_bytes(), manifest())
    path.write_bytes(data)
    assert read_artifact(path) == (manifest().sealed(data), data)


@settings(max_examples=200)
@given(st.data())
def test_any_flipped_bit_of_a_lone_onnx_file_is_found(data: st.DataObject) -> None:
    content = bytearray(embed_manifest(onnx_bytes(), manifest()))
    index = data.draw(st.integers(0, len(content) - 1))
    content[index] ^= 1 << data.draw(st.integers(0, 7))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "flipped.onnx")
        path.write_bytes(content)
        with pytest.raises(ArtifactError):
            read_artifact(path)


@pytest.mark.parametrize("suffix", [".onnx", ".engine"])
def test_a_changed_or_cut_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"generator.fp16{suffix}"
    content = onnx_bytes()
    write_artifact(path, content, manifest(suffix[1:]))
    for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), b"", content + b"\0"):
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="not the file that"):
            read_artifact(path)


def test_an_engine_without_its_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "generator.engine"
    path.write_bytes(b"ftrt")
    with pytest.raises(ArtifactError, match="no manifest"):
        read_artifact(path)


def test_the_manifest_of_another_file_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "a.engine", tmp_path / "b.engine"
    write_artifact(first, b"one", manifest("engine"))
    write_artifact(second, b"two", manifest("engine"))
    sidecar_path(first).replace(sidecar_path(second))
    with pytest.raises(ArtifactError, match=r"not the file that b\.engine\.json describes"):
        read_artifact(second)


def test_an_engine_renamed_to_onnx_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    write_artifact(path, b"one", manifest("engine"))
    with pytest.raises(ArtifactError, match="described as engine"):
        read_artifact(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"schema_version": 1}', '{"schema_version": 9}', "\xff"]
)
def test_a_damaged_manifest_is_refused(text: str) -> None:
    with pytest.raises(ArtifactError):
        Manifest.from_json(text, "x.json")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_any_value_in_a_manifest_is_read_or_refused(value: object) -> None:
    for key in ("architecture", "batch", "inputs", "outputs", "targets", "kind"):
        facts = json.loads(manifest().to_json())
        facts[key] = value
        try:
            Manifest.from_json(json.dumps(facts), "x.json")
        except ArtifactError:
            continue


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        read_artifact(tmp_path / "nothing.onnx")
    with pytest.raises(ArtifactError, match=r"\.onnx or \.engine"):
        read_artifact(tmp_path / "weights.pth")
    foreign = tmp_path / "foreign.onnx"
    foreign.write_bytes(onnx_bytes())
    with pytest.raises(ArtifactError, match="another program"):
        read_artifact(foreign)


@pytest.mark.parametrize("sizes", [(0, 1, 1), (2, 1, 3), (1, 4, 3)])
def test_batch_sizes_must_rise(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError):
        BatchProfile(*sizes)
