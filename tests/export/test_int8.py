"""INT8 from the checkpoint to files and engines: what is written, what is recorded, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from dcgan_edge.artifact import Architecture, Artifact, BatchProfile, Target, read_artifact
from dcgan_edge.errors import UsageError, VerificationError
from dcgan_edge.export import distribution, int8
from dcgan_edge.export.int8 import advice, sensitivity, to_int8
from dcgan_edge.export.onnx.checking import check_graph
from dcgan_edge.export.onnx.precision import HALF_MAX
from dcgan_edge.export.onnx.quantise import check_scales
from dcgan_edge.export.pipeline import export
from dcgan_edge.export.tensorrt.build import build
from dcgan_edge.export.writing import Making, Wanted, write_generator
from dcgan_edge.runtime import parity
from dcgan_edge.runtime.parity import INT8_GATE, Gate
from dcgan_edge.runtime.session import open_session
from dcgan_edge.verification import verify
from dcgan_edge.words import parity_words

pytestmark = pytest.mark.torch
FIRST, LAST = "ConvTranspose_0", "ConvTranspose_4"
TARGETS = ("sm86", "sm89", "sm120")


@pytest.fixture(scope="module")
def written(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Artifact]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distribution, "IMAGES", 100)
        return export(
            checkpoint,
            tmp_path_factory.mktemp("int8"),
            precisions=("fp32", "int8"),
            engine=True,
            targets=TARGETS,
            batch=BatchProfile(1, 4, 8),
        )


def test_an_int8_file_and_its_engine_are_written(written: list[Artifact]) -> None:
    names = [each.path.name for each in written]
    assert names[:2] == ["generator.fp32.onnx", "generator.int8.onnx"]
    assert len(names) == 3
    engine = written[2].manifest
    assert (engine.kind, engine.precision, engine.targets) == ("engine", "int8", TARGETS)
    assert engine.parity["gate"]["psnr_db"] == INT8_GATE.psnr_db
    assert written[2].path.name.startswith("generator.int8.sm86-sm89-sm120.rtx")


def test_the_manifest_says_how_it_was_calibrated_and_what_that_cost(written: list[Artifact]) -> None:
    manifest, data = read_artifact(written[1].path)
    facts = manifest.notes["quantisation"]
    assert set(facts["worst_psnr_db"]) == {"min-max", "percentile", "entropy"}
    assert facts["worst_psnr_db"][facts["calibration"]] == max(facts["worst_psnr_db"].values())
    assert facts["layers"] == {"int8": [FIRST, "ConvTranspose_2", LAST], "fp16": [], "fp32": []}
    assert facts["given_up"] == []
    assert set(range(*facts["calibration_seeds"])).isdisjoint(range(*facts["comparison_seeds"]))
    found = manifest.parity
    assert (found["verdict"], found["seeds"]) == ("passed", 64)
    assert found["worst_psnr_db"] >= INT8_GATE.psnr_db
    assert found["distribution"]["images"] == 100
    assert found["distribution"]["kid"]["value"] <= found["distribution"]["seeds_kid"]["high"]
    assert "digits read as others" in parity_words(manifest)
    check_scales(onnx.load_from_string(data), facts["layers"]["int8"])
    whole = written[0].manifest
    assert whole.cost is not None
    assert manifest.cost is not None
    assert (
        manifest.cost.weight_bytes < 0.3 * whole.cost.weight_bytes
    )  # a quarter, and float biases and scales


def test_a_device_proves_it_by_its_golden_images(written: list[Artifact]) -> None:
    (proof,) = verify(written[1].path)
    assert proof.parity.passed
    assert proof.parity.gate == INT8_GATE


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "IMAGES", 100)
    monkeypatch.setattr(int8, "METHODS", ("min-max",))


def rewritten(
    exported: Path, out: Path, wanted: Wanted, change: Callable[[onnx.ModelProto], None] = lambda graph: None
) -> list[Artifact]:
    """What is written of the graph in `exported`; the float32 file is the reference, not PyTorch."""
    path = exported / "generator.fp32.onnx"
    graph = onnx.load(path)
    del graph.metadata_props[:]
    change(graph)
    with open_session(path) as reference:
        return write_generator(
            check_graph(graph),
            reference,
            out,
            wanted,
            batch=reference.manifest.batch,
            making=Making(),
            progress=lambda step: None,
        )


@pytest.mark.usefixtures("quick")
def test_a_file_for_onnxruntime_has_its_form_and_no_engine(exported: Path, tmp_path: Path) -> None:
    (made,) = rewritten(exported, tmp_path, Wanted(("int8",), target="onnxruntime-cpu", output="uint8"))
    assert made.path.name == "generator-onnxruntime-cpu.int8.uint8.onnx"
    assert made.manifest.notes["quantisation"]["values"] == "uint8"
    assert made.manifest.parity["verdict"] == "passed"
    with pytest.raises(UsageError, match="--for tensorrt"):
        build(made.path, targets=("sm86",))


@pytest.mark.usefixtures("quick")
def test_layers_are_kept_in_float_and_in_half(exported: Path, tmp_path: Path) -> None:
    wanted = Wanted(("int8",), keep_fp32=(LAST,), keep_fp16=(FIRST,))
    (made,) = rewritten(exported, tmp_path, wanted)
    assert made.manifest.notes["quantisation"]["layers"] == {
        "int8": ["ConvTranspose_2"], "fp16": [FIRST], "fp32": [LAST]
    }  # fmt: skip
    model = onnx.load(made.path)
    weights = {each.name: each.data_type for each in model.graph.initializer}
    by_name = {each.name: each for each in model.graph.node}
    assert weights[by_name[FIRST].input[1]] == onnx.TensorProto.FLOAT16
    assert weights[by_name[LAST].input[1]] == onnx.TensorProto.FLOAT


def reach_far(graph: onnx.ModelProto) -> None:
    """Let the first layer make values beyond half that the second divides again: the images stay the same."""
    weights = {each.name: each for each in graph.graph.initializer}
    by_name = {each.name: each for each in graph.graph.node}
    largest = np.abs(numpy_helper.to_array(weights[by_name[FIRST].input[1]])).max()
    factor = 2 ** np.floor(np.log2(HALF_MAX / largest))  # the weights themselves are within half
    changes = dict.fromkeys(by_name[FIRST].input[1:], factor)
    changes[by_name["ConvTranspose_2"].input[1]] = 1 / factor
    for name, change in changes.items():
        values = numpy_helper.to_array(weights[name]) * np.float32(change)
        weights[name].CopyFrom(numpy_helper.from_array(values, name))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("target", ["any", "tensorrt"])
def test_values_beyond_half_are_found_in_the_form_that_is_written(
    exported: Path, tmp_path: Path, target: Target
) -> None:
    wanted = Wanted(("int8",), keep_fp16=(FIRST,), target=target)
    with pytest.raises(VerificationError, match=f"Half precision ends.*--keep-fp32 {FIRST}"):
        rewritten(exported, tmp_path, wanted, reach_far)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_a_missed_gate_leaves_nothing_and_names_what_to_keep(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parity.GATES, "int8", Gate(None, 90.0, None, "beyond 8 bits"))
    with pytest.raises(
        VerificationError, match=r"does not match PyTorch: seed .* dB.*--keep-fp16 ConvTranspose_"
    ):
        rewritten(exported, tmp_path, Wanted(("int8",)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_a_distribution_that_changed_is_a_missed_gate_too(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution.Distribution, "missed", ("KID rises by 1",))
    with pytest.raises(VerificationError, match="KID rises by 1"):
        rewritten(exported, tmp_path, Wanted(("int8",)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "layer", "values"),
    [("any", "ConvTranspose", "int8"), ("openvino", "ConvTranspose", "int8 or uint8"),
     ("tensorrt", "Conv", "int8"), ("onnxruntime-cpu", "Conv", "uint8")],
)  # fmt: skip
def test_a_target_gets_layers_that_it_has_in_int8(
    exported: Path, target: Target, layer: str, values: str
) -> None:
    with open_session(exported / "generator.fp32.onnx") as session:
        architecture = session.manifest.architecture
    graph = check_graph(onnx.load(exported / "generator.fp32.onnx"))
    made = to_int8(graph, architecture, target=target, methods=("min-max",))
    assert {each.op_type for each in made.model.graph.node if each.name in (FIRST, LAST)} <= {layer, "Conv"}
    assert next(each.op_type for each in made.model.graph.node if each.name == LAST) == layer
    assert made.notes()["quantisation"]["values"] == values
    assert made.psnr_db["min-max"] > INT8_GATE.psnr_db


def test_the_layers_that_cost_most_are_given_up_where_the_images_would_be_too_far(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_session(exported / "generator.fp32.onnx") as session:
        architecture = session.manifest.architecture
    graph = check_graph(onnx.load(exported / "generator.fp32.onnx"))
    all_int8 = to_int8(graph, architecture, methods=("min-max",))
    assert all_int8.given_up == ()
    costs = sensitivity(all_int8.trial, all_int8.layers["int8"], all_int8.ranges)
    assert list(costs.values()) == sorted(costs.values())
    assert f"--keep-fp16 {next(iter(costs))}" in advice(all_int8)
    monkeypatch.setattr(int8, "MARGIN", all_int8.psnr_db["min-max"] + 0.1 - INT8_GATE.psnr_db)
    fewer = to_int8(graph, architecture, methods=("min-max",))
    assert fewer.given_up == fewer.layers["fp16"] == tuple(costs)[: len(fewer.given_up)]
    assert len(fewer.given_up) >= 1
    monkeypatch.setattr(int8, "MARGIN", 200.0)
    assert len(to_int8(graph, architecture, methods=("min-max",)).layers["int8"]) == 1
    chosen = to_int8(graph, architecture, methods=("min-max",), keep_fp32=(LAST,))
    assert chosen.given_up == ()  # whoever names layers decides


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(("fp32", "int8"), keep_fp32=("Cast_9",)), "no layer Cast_9"),
        (Wanted(("fp32", "int8"), keep_fp32=(FIRST,), keep_fp16=(FIRST,)), "at once"),
        (Wanted(("fp32", "int8"), keep_fp32=(FIRST, "ConvTranspose_2", LAST)), "No layer is left"),
    ],
)
def test_layers_that_cannot_be_kept_are_refused_before_anything_is_written(
    exported: Path, tmp_path: Path, wanted: Wanted, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        rewritten(exported, tmp_path, wanted)
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_apply_is_refused() -> None:
    with pytest.raises(UsageError, match="--precision int8"):
        Wanted(("fp32", "fp16"), keep_fp16=(FIRST,))
    with pytest.raises(UsageError, match="no precision int4"):
        Wanted(("fp32", "int4"))  # type: ignore[arg-type]
    assert Wanted(("int8",), engine=True).files == ("int8",)
    assert Wanted(("fp32",), engine=True).files == ("fp32", "fp16")
    assert Wanted(("fp16", "int8"), keep_fp32=(FIRST,)).files == ("mixed", "int8")


def test_classes_are_all_calibrated() -> None:
    many = Architecture("custom", 8, 1, 0, 4, classes=tuple(map(str, range(300))))
    inputs = many.inputs(int8._covering(many, int8.CALIBRATION_SEEDS, 1e6))
    assert np.all(inputs[:, 4:, 0, 0].sum(0) >= 1)
    assert len(int8._covering(many, int8.CALIBRATION_SEEDS, 1e8)) == 42  # 4 GiB
    assert len(int8._covering(many, int8.CALIBRATION_SEEDS, 1e12)) == int8.LEAST_IMAGES
