from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from dcgan_edge import artifact, onnx_file
from dcgan_edge.artifact import (
    Architecture,
    BatchProfile,
    Cost,
    Golden,
    Manifest,
    Verification,
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
        cost=Cost(2e6, 1000, 500.0, 4000.0, 800.0),
        golden=Golden(8, "cd" * 32, 100),
    )


PROOF = Verification(
    "passed", "2026-11-26T01:02:03+00:00", "golden images", 8, 1e-4, 72.0, 1, (), "tensorrt",
    "10.3.0", "cuda:0", "Orin",
)  # fmt: skip


def onnx_bytes() -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    model: onnx.ModelProto = helper.make_model(graph)
    return bytes(model.SerializeToString())


def content() -> bytes:
    """An ONNX file of this program."""
    return embed_manifest(onnx_bytes(), manifest())


def test_a_manifest_survives_its_json() -> None:
    ours = manifest().with_verification(PROOF).sealed(b"content")
    assert Manifest.from_json(ours.to_json(), "x") == ours
    assert ours.sha256 == sha256(b"content")
    assert ours.size == 7


def test_the_json_of_a_manifest_is_fixed() -> None:
    # The schema that other programs read: a change here needs a new SCHEMA_VERSION.
    facts = json.loads(manifest().to_json())
    assert facts["schema_version"] == 4
    assert sorted(facts) == [
        "architecture", "batch", "builder", "built_on", "cost", "golden", "inputs", "kind", "notes",
        "origin", "outputs", "parent_sha256", "parity", "precision", "schema_version", "sha256", "size",
        "targets", "verified", "versions",
    ]  # fmt: skip
    assert facts["inputs"][0] == {
        "name": "latents", "dtype": "float32", "shape": ["batch", 100, 1, 1], "layout": "NCHW", "range": None,
    }  # fmt: skip
    assert facts["outputs"][0]["range"] == [-1.0, 1.0]


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "generator.fp16.onnx"
    sealed = write_artifact(path, content(), manifest())
    assert read_artifact(path) == (sealed, content())


def test_an_onnx_file_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "alone.onnx"
    data = embed_manifest(onnx_bytes(), manifest())
    path.write_bytes(data)
    assert read_artifact(path) == (manifest().sealed(data), data)


@settings(max_examples=200)
@given(st.data())
def test_any_flipped_bit_of_a_lone_onnx_file_is_found(data: st.DataObject) -> None:
    flipped = bytearray(content())
    index = data.draw(st.integers(0, len(flipped) - 1))
    flipped[index] ^= 1 << data.draw(st.integers(0, 7))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "flipped.onnx")
        path.write_bytes(flipped)
        with pytest.raises(ArtifactError):
            read_artifact(path)


@pytest.mark.parametrize("suffix", [".onnx", ".engine"])
def test_a_changed_or_cut_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"generator.fp16{suffix}"
    whole = content()
    write_artifact(path, whole, manifest(suffix[1:]))
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b"", whole + b"\0"):
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
    write_artifact(path, content(), manifest("engine"))
    with pytest.raises(ArtifactError):
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
    (tmp_path / "weights.pth").write_bytes(b"weights")
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


def test_a_sidecar_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.onnx"
    write_artifact(path, content(), manifest())
    facts = json.loads(sidecar_path(path).read_text())
    for key, value in {
        "batch": {"min": 1, "opt": 1, "max": 2},
        "precision": "fp32",
        "cost": None,
        "parity": {"verdict": "failed"},
        "architecture": {**facts["architecture"], "distribution": "uniform"},
    }.items():
        sidecar_path(path).write_text(json.dumps({**facts, key: value}))
        with pytest.raises(ArtifactError):
            read_artifact(path)
    sidecar_path(path).write_text(json.dumps({**facts, "verified": [dataclasses.asdict(PROOF)]}))
    assert read_artifact(path)[0].verified == (PROOF,)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("architecture", "latent_dim"), "100"), (("architecture", "latent_dim"), 50),
        (("architecture", "latent_dim"), 10**12), (("architecture", "latent_dim"), True),
        (("architecture", "size"), 0), (("architecture", "preset"), 7), (("architecture", "extra"), 1),
        (("inputs",), []), (("inputs", 0, "name"), ""), (("inputs", 0, "shape"), ["batch", 100]),
        (("inputs", 0, "dtype"), "uint8"), (("inputs", 0, "layout"), "NHWC"), (("outputs",), []),
        (("outputs", 0, "dtype"), "int8"), (("outputs", 0, "layout"), "NHWC"), (("precision",), "int4"),
        (("batch", "max"), 10**9), (("batch", "min"), 1.0), (("targets",), "sm86"), (("size",), -1),
        (("versions",), {"torch": 2}), (("cost", "flops"), -1.0), (("cost", "weight_bytes"), 1.5),
        (("golden", "seeds"), 10**6), (("verified",), [{}]), (("schema_version",), 2.0),
        (("schema_version",), True), (("schema_version",), [2]), (("kind",), "model"),
    ],
)  # fmt: skip
def test_every_field_has_a_type_and_a_range(where: tuple[str | int, ...], value: object) -> None:
    facts: Any = json.loads(manifest().to_json())
    place = facts
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = value
    with pytest.raises(ArtifactError):
        Manifest.from_json(json.dumps(facts), "x.json")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000, '{"a":' * 100_000, "[" * 200 + "]" * 200, "1" * 5000, "NaN", "-Infinity", "1e999",
        '"' + "x" * (5 * 2**20) + '"',
    ],
    ids=["lists", "objects", "deep and sound", "a long number", "nan", "infinite", "too large", "too long"],
)  # fmt: skip
def test_json_that_no_program_of_ours_wrote_is_refused(text: str) -> None:
    with pytest.raises(ArtifactError):
        Manifest.from_json(text, "x.json")


def test_manifests_of_schema_1_are_read(tmp_path: Path) -> None:
    """As they were written before costs and golden images: sidecar and metadata, of both kinds of file."""
    facts = json.loads(manifest().to_json())
    old = {name: facts[name] for name in facts.keys() - {"cost", "golden", "verified"}} | {
        "schema_version": 1
    }
    entry = json.dumps({"digest": artifact._digest(onnx_bytes(), old), "manifest": old}, sort_keys=True)
    data = onnx_file.with_metadata(onnx_bytes(), {artifact.METADATA_KEY: entry})
    path = tmp_path / "g.onnx"
    path.write_bytes(data)
    alone = read_artifact(path)[0]
    assert (alone.cost, alone.golden, alone.verified) == (None, None, ())
    sidecar_path(path).write_text(json.dumps(old | {"sha256": sha256(data), "size": len(data)}))
    assert read_artifact(path)[0] == alone


def test_a_proof_replaces_the_one_of_the_same_device_and_version() -> None:
    later = dataclasses.replace(PROOF, date="2026-11-27T00:00:00+00:00")
    other = dataclasses.replace(PROOF, version="10.4.0")
    proven = manifest().with_verification(PROOF).with_verification(other).with_verification(later)
    assert proven.verified == (later, other)


@pytest.mark.parametrize("place", ["initializer", "constant", "branch"])
def test_weights_in_other_files_are_refused_before_a_library_looks_for_them(
    tmp_path: Path, place: str
) -> None:
    model = onnx.load_from_string(onnx_bytes())
    outside = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="secret")
    constant = helper.make_node("Constant", [], ["c"], value=outside)
    branch = helper.make_graph([constant], "b", [], [onnx.ValueInfoProto(name="c")])
    if place == "initializer":
        model.graph.initializer.append(outside)
    elif place == "constant":
        model.graph.node.append(constant)
    else:
        model.graph.node.append(helper.make_node("If", ["z"], ["q"], then_branch=branch))
    facts = manifest()
    path = tmp_path / "g.onnx"
    write_artifact(path, artifact.embed_manifest(model.SerializeToString(), facts), facts)
    with pytest.raises(ArtifactError, match="in other files"):
        read_artifact(path)
