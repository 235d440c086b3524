"""Model repositories of Triton: what its own protobuf reads is what the artifacts have."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.artifact import BatchProfile, Manifest, generator_tensors, read_artifact
from dcgan_edge.cli import main
from dcgan_edge.errors import UsageError
from dcgan_edge.packaging import triton
from dcgan_edge.packaging.triton import config_text, write_triton_repository

WHY = "tritonclient is not installed"


def parse(text: str) -> Any:
    """The ModelConfig of `text`, by the protobuf that Triton's own client brings."""
    protobuf = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason=WHY)
    from google.protobuf import text_format

    return text_format.Parse(text, protobuf.ModelConfig())


def type_name(number: int) -> str:
    protobuf = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason=WHY)
    return str(protobuf.DataType.Name(number))


@pytest.fixture(scope="module")
def manifest(exported: Path) -> Manifest:
    return read_artifact(exported / "generator.fp16.onnx")[0]


def config(manifest: Manifest, **changes: Any) -> Any:
    changed = dataclasses.replace(manifest, **changes)
    return parse(config_text("generator", changed, "generator.onnx", delay_s=0.002, instances=3))


def test_the_repository_has_the_tensors_of_the_graph(exported: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    artifacts = sorted(exported.glob("*.onnx"))
    models = write_triton_repository(artifacts, tmp_path)
    assert [model.name for model in models] == ["generator_fp16", "generator_fp32"]
    for artifact, model in zip(artifacts, models, strict=True):
        assert sorted(path.relative_to(model.folder).as_posix() for path in model.folder.rglob("*")) == [
            "1", "1/model.onnx", "config.pbtxt",
        ]  # fmt: skip
        assert (model.folder / "1" / "model.onnx").read_bytes() == artifact.read_bytes()
        parsed = parse((model.folder / "config.pbtxt").read_text())
        graph = onnx.load(artifact).graph
        assert (parsed.name, parsed.platform) == (model.name, "onnxruntime_onnx")
        assert parsed.max_batch_size == read_artifact(artifact)[0].batch.max
        for ours, theirs in zip((*parsed.input, *parsed.output), (*graph.input, *graph.output), strict=True):
            kind = theirs.type.tensor_type
            assert ours.name == theirs.name
            assert type_name(ours.data_type) == "TYPE_FP32"
            assert kind.elem_type == onnx.TensorProto.FLOAT
            assert kind.shape.dim[0].dim_param  # the batch, which dims leave out
            assert list(ours.dims) == [dim.dim_value for dim in kind.shape.dim[1:]]


def test_requests_are_batched_and_the_model_is_warm_before_it_is_ready(manifest: Manifest) -> None:
    parsed = config(manifest)
    assert list(parsed.dynamic_batching.preferred_batch_size) == [4, 8]
    assert parsed.dynamic_batching.max_queue_delay_microseconds == 2000
    assert [group.count for group in parsed.instance_group] == [3]
    assert [warm.batch_size for warm in parsed.model_warmup] == [1, 4]
    for warm in parsed.model_warmup:
        (content,) = warm.inputs.values()
        assert list(content.dims) == list(parsed.input[0].dims)
        assert content.random_data


def test_pixels_with_channels_last_are_bytes(manifest: Manifest) -> None:
    made = generator_tensors(manifest.architecture, "uint8", "NHWC")
    parsed = config(manifest, outputs=(made[1],))
    assert type_name(parsed.output[0].data_type) == "TYPE_UINT8"
    assert list(parsed.output[0].dims) == [28, 28, 1]


def test_classes_are_part_of_the_one_input(manifest: Manifest) -> None:
    architecture = dataclasses.replace(manifest.architecture, classes=("a", "b", "c"))
    parsed = config(manifest, architecture=architecture, inputs=(generator_tensors(architecture)[0],))
    assert [list(tensor.dims) for tensor in parsed.input] == [[architecture.latent_dim + 3, 1, 1]]


def test_a_fixed_batch_is_part_of_the_shapes(manifest: Manifest) -> None:
    parsed = config(manifest, batch=BatchProfile(16, 16, 16))
    assert parsed.max_batch_size == 0
    assert (list(parsed.input[0].dims), list(parsed.output[0].dims)) == ([16, 16, 1, 1], [16, 1, 28, 28])
    assert not parsed.HasField("dynamic_batching")
    assert [warm.batch_size for warm in parsed.model_warmup] == [1]


ENGINE: dict[str, Any] = {"kind": "engine", "builder": "trt10.3.0", "targets": ("sm87",)}


@pytest.mark.parametrize(
    ("changes", "kind", "profiles"),
    [
        ({}, "KIND_AUTO", []),
        ({"notes": {"for": "onnxruntime-cpu"}}, "KIND_CPU", []),
        ({**ENGINE, "notes": {"profiles": [{}]}}, "KIND_GPU", []),
        ({**ENGINE, "notes": {"profiles": [{}, {}]}}, "KIND_GPU", ["0", "1"]),
    ],
    ids=["onnx", "for processors", "engine", "engine of two profiles"],
)
def test_a_model_runs_where_it_is_for(
    manifest: Manifest, changes: dict[str, Any], kind: str, profiles: list[str]
) -> None:
    (group,) = config(manifest, **changes).instance_group
    assert type(group).Kind.Name(group.kind) == kind
    assert list(group.profile) == profiles


def written_as(artifact: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let every artifact read be the one at `artifact` with another manifest: engines need no GPU here."""
    manifest, data = read_artifact(artifact)
    changed = dataclasses.replace(manifest, **changes)
    monkeypatch.setattr(triton, "read_artifact", lambda path: (changed, data))


def test_an_engine_says_what_the_server_needs(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_as(exported / "generator.fp16.onnx", monkeypatch, **ENGINE)
    (model,) = write_triton_repository(["generator.fp16.sm87.trt10.3.0.engine"], tmp_path)
    assert (model.folder / "1" / "model.plan").is_file()
    assert model.requires == "TensorRT 10.3.0 on sm87"
    assert parse((model.folder / "config.pbtxt").read_text()).platform == "tensorrt_plan"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({**ENGINE, "builder": "rtx1.7.1"}, "TensorRT-RTX"),
        ({"batch": BatchProfile(2, 4, 8)}, "--min-batch 1"),
    ],
)
def test_what_triton_cannot_run_is_refused(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str
) -> None:
    written_as(exported / "generator.fp16.onnx", monkeypatch, **changes)
    with pytest.raises(UsageError, match=reason):
        write_triton_repository(["some.engine"], tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_model_of_somebody_else_stays_and_one_of_ours_is_replaced(exported: Path, tmp_path: Path) -> None:
    artifact = exported / "generator.fp16.onnx"
    write_triton_repository([artifact], tmp_path, delay_s=0.5)
    (model,) = write_triton_repository([artifact], tmp_path)
    assert "microseconds: 1000" in (model.folder / "config.pbtxt").read_text()
    (model.folder / "config.pbtxt").write_text('name: "mine"')
    with pytest.raises(UsageError, match="not written by this program"):
        write_triton_repository([artifact], tmp_path)
    with pytest.raises(UsageError, match="Several artifacts"):
        write_triton_repository([artifact, artifact], tmp_path / "other")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
@settings(max_examples=30)
def test_any_name_of_a_tensor_comes_through(name: str) -> None:
    assert parse(f"name: {triton._string(name)}").name == name


def test_the_command_prints_how_to_measure_it(exported: Path, tmp_path: Path) -> None:
    artifact = str(exported / "generator.fp16.onnx")
    answer = CliRunner().invoke(main, ["package", artifact, "--triton", str(tmp_path), "--json"])
    assert answer.exit_code == 0, answer.output
    (model,) = json.loads(answer.stdout)["models"]
    assert model["perf_analyzer"].startswith("perf_analyzer -m generator_fp16 -i grpc")
    assert model["sha256"] == read_artifact(Path(artifact))[0].sha256


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--bundle FILE or --triton REPO"),
        (("--triton", "models", "--bundle", "b.tar.gz"), "--bundle FILE or --triton REPO"),
        (("--triton", "models", "--platform", "linux-aarch64"), "--platform is for --bundle alone"),
        (("--bundle", "b.tar.gz", "--delay", "2ms"), "--delay is for --triton alone"),
        (("--bundle", "b.tar.gz", "--python", "2.7"), "2.7"),
    ],
)
def test_an_option_that_does_not_apply_is_refused(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(main, ["package", str(exported / "generator.fp16.onnx"), *words])
    assert answer.exit_code == 2
    assert said in answer.output
    assert list(tmp_path.iterdir()) == []
