"""Files as other programs write them become artifacts that make the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from dcgan_edge.artifact import BatchProfile, Manifest, sha256
from dcgan_edge.errors import UsageError, VerificationError
from dcgan_edge.export.foreign.adopt import adopt
from dcgan_edge.latents import latents
from dcgan_edge.runtime.session import open_session
from dcgan_edge.verification import verify
from tests import foreign_graphs as graphs
from tests.foreign_graphs import DIM, SIDE, constant, node, port, saved

FLOAT32 = 1e-5  # another order of the same sums, in values up to 1


def one(path: Path, **options: Any) -> Manifest:
    """The manifest of the float32 artifact of `path`."""
    (artifact,) = adopt(path, path.parent / "out", precisions=["fp32"], **options)
    return artifact.manifest


def images(folder: Path, z: np.ndarray) -> np.ndarray:
    with open_session(folder / "out" / "generator.fp32.onnx", device="cpu") as session:
        return session.run(z)


def original(path: Path, feeds: dict[str, np.ndarray]) -> np.ndarray:
    found: np.ndarray = onnxruntime.InferenceSession(str(path)).run(["img"], feeds)[0]
    return found


def test_a_file_becomes_artifacts_in_both_precisions_with_proof(tmp_path: Path) -> None:
    path = saved(graphs.generator(), tmp_path)
    single, half = adopt(path, tmp_path / "out")
    assert [single.path.name, half.path.name] == ["generator.fp32.onnx", "generator.fp16.onnx"]
    manifest = single.manifest
    assert manifest.parent_sha256 == sha256(path.read_bytes())
    assert (manifest.architecture.preset, manifest.architecture.size) == ("custom", SIDE)
    assert manifest.origin is not None
    assert (manifest.origin.kind, manifest.origin.file, manifest.origin.proof) == (
        "onnx",
        "model.onnx",
        "measured",
    )
    assert manifest.parity["reference"] == "the ONNX file model.onnx"
    assert half.manifest.parity["verdict"] == "passed"
    written = onnx.load(single.path)
    assert {each.op_type for each in written.graph.node} == {"Reshape", "ConvTranspose", "Relu", "Tanh"}
    assert (written.ir_version, written.opset_import[0].version) == (10, 18)
    assert all(proof.parity.passed for proof in verify([single.path, half.path]))


@pytest.mark.parametrize("opset", [11, 13, 18, 21])
def test_every_opset_makes_the_images_of_the_file(tmp_path: Path, opset: int) -> None:
    path = saved(graphs.generator(opset=opset), tmp_path)
    assert one(path).notes["opset"] == 18
    z = latents(range(5), DIM)
    np.testing.assert_allclose(images(tmp_path, z), original(path, {"z": z[:, :, 0, 0]}), atol=FLOAT32)


@pytest.mark.parametrize(("end", "factor", "summand"), [("Tanh", 1, 0), ("Sigmoid", 2, -1)])
def test_the_range_is_told_by_the_end_of_the_graph(
    tmp_path: Path, end: str, factor: int, summand: int
) -> None:
    path = saved(graphs.generator(end), tmp_path)
    one(path)
    z = latents(range(3), DIM)
    expected = original(path, {"z": z[:, :, 0, 0]}) * factor + summand
    np.testing.assert_allclose(images(tmp_path, z), expected, atol=FLOAT32)


def test_bytes_with_channels_last_become_planes_in_our_range(tmp_path: Path) -> None:
    tail = [
        node("Sigmoid", ["c2"], "s"),
        node("Mul", ["s", "full"], "b"),
        node("Round", ["b"], "r"),
        node("Transpose", ["r"], "t", perm=[0, 2, 3, 1]),
        node("Cast", ["t"], "img", to=TensorProto.UINT8),
    ]
    graph = graphs.generator(tail=tail)
    graph.graph.initializer.append(constant("full", 255, np.float32))
    graph.graph.output[0].CopyFrom(port("img", ["n", SIDE, SIDE, 3], TensorProto.UINT8))
    path = saved(graph, tmp_path)
    one(path)
    z = latents(range(3), DIM)
    expected = original(path, {"z": z[:, :, 0, 0]}).transpose(0, 3, 1, 2) / 127.5 - 1
    assert np.abs(images(tmp_path, z) - expected).max() < 1.01 / 127.5, (
        "a level, where one is rounded otherwise"
    )


@pytest.mark.parametrize(
    ("scale", "given", "clipped"),
    [(0.4, None, False), (1.0, None, False), (0.4, (0.0, 2.0), True), (1.5, (-1.0, 1.0), True)],
)
def test_images_that_leave_their_range_are_clipped(
    tmp_path: Path, scale: float, given: tuple[float, float] | None, clipped: bool
) -> None:
    tail = [node("Tanh", ["c2"], "t"), node("Mul", ["t", "scale"], "img")]
    graph = graphs.generator(tail=tail)
    graph.graph.initializer.append(constant("scale", scale, np.float32))
    path = saved(graph, tmp_path)
    one(path, value_range=given)
    z = latents(range(3), DIM)
    raw = original(path, {"z": z[:, :, 0, 0]})
    expected = raw if given != (0.0, 2.0) else raw - 1
    assert (np.abs(expected).max() > 1) == clipped
    np.testing.assert_allclose(images(tmp_path, z), np.clip(expected, -1, 1), atol=FLOAT32)


def test_a_fixed_batch_of_one_is_freed(tmp_path: Path) -> None:
    path = saved(graphs.generator(batch=1), tmp_path)
    manifest = one(path, batch=BatchProfile(1, 2, 5))
    assert manifest.batch == BatchProfile(1, 2, 5)
    z = latents(range(5), DIM)
    expected = [original(path, {"z": z[i : i + 1, :, 0, 0]})[0] for i in range(5)]
    np.testing.assert_allclose(images(tmp_path, z), expected, atol=FLOAT32)


def test_a_batch_that_cannot_be_freed_stays_as_it_is(tmp_path: Path) -> None:
    # The mean over the batch makes an image depend on what is beside it.
    tail = [
        node("ReduceMean", ["c2", "first_axis"], "m", keepdims=1),
        node("Add", ["c2", "m"], "a"),
        node("Tanh", ["a"], "img"),
    ]
    graph = graphs.generator(batch=2, tail=tail)
    graph.graph.initializer.append(constant("first_axis", [0]))
    path = saved(graph, tmp_path)
    assert one(path).batch == BatchProfile(2, 2, 2)
    with pytest.raises(UsageError, match="fixed to 2 images per call"):
        one(path, batch=BatchProfile(1, 4, 8))


def test_a_batch_may_be_fixed_on_request(tmp_path: Path) -> None:
    one(saved(graphs.generator(), tmp_path), batch=BatchProfile(4, 4, 4))
    axes = onnx.load(tmp_path / "out" / "generator.fp32.onnx").graph.output[0].type.tensor_type.shape.dim
    assert [axis.dim_value for axis in axes] == [4, 3, SIDE, SIDE]


def test_half_precision_comes_out_as_float32_and_is_held_to_its_own_gate(tmp_path: Path) -> None:
    graph = graphs.generator()
    for tensor in graph.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for value in (graph.graph.input[0], graph.graph.output[0]):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    path = saved(graph, tmp_path)
    manifest = one(path)
    assert "half" in manifest.parity["gate"]["why"]
    z = latents(range(3), DIM)
    expected = original(path, {"z": z[:, :, 0, 0].astype(np.float16)})
    # Half has 11 bits: a few roundings of 2**-11 in values of up to 1.
    np.testing.assert_allclose(images(tmp_path, z), expected, atol=8 * 2**-11)


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32, TensorProto.FLOAT])
def test_a_class_input_becomes_weights_after_the_latent(tmp_path: Path, kind: int) -> None:
    path = saved(graphs.conditional(kind), tmp_path)
    manifest = one(path)
    assert (manifest.architecture.latent_dim, manifest.architecture.classes) == (DIM - 3, tuple("01234"))
    z = manifest.architecture.inputs(range(4), [4, 0, 2, 2])
    label = np.array([4, 0, 2, 2]) if kind != TensorProto.FLOAT else np.eye(5)[[4, 0, 2, 2]]
    feeds = {"z": z[:, : DIM - 3, 0, 0], "y": label.astype(helper.tensor_dtype_to_np_dtype(kind))}
    np.testing.assert_allclose(images(tmp_path, z), original(path, feeds), atol=FLOAT32)


def test_classes_have_the_names_that_are_given(tmp_path: Path) -> None:
    path = saved(graphs.conditional(), tmp_path)
    assert one(path, classes=tuple("abcde")).architecture.classes == tuple("abcde")
    with pytest.raises(UsageError, match="5 classes, not 4"):
        one(path, classes=4)
    # One input may hold both: its last numbers are the class.
    both = one(saved(graphs.generator(), tmp_path), classes=3).architecture
    assert (both.latent_dim, len(both.classes)) == (DIM - 3, 3)


def test_other_outputs_are_left_out(tmp_path: Path) -> None:
    graph = graphs.generator()
    graph.graph.node.append(node("ReduceMean", ["img"], "score", keepdims=0))
    graph.graph.node.append(node("Identity", ["img"], "copy"))
    graph.graph.output.append(port("score", []))
    path = saved(graph, tmp_path)
    origin = one(path).origin
    assert origin is not None
    assert any("score" in note for note in origin.notes)
    graph.graph.output.append(port("copy", ["n", 3, SIDE, SIDE]))
    path = saved(graph, tmp_path)
    with pytest.raises(UsageError, match="--output-name"):
        one(path)
    one(path, output_name="copy")


def test_weights_beside_the_file_are_brought_in(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    path = tmp_path / "model.onnx"
    onnx.save(graphs.generator(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    one(path)
    assert (tmp_path / "w.bin").is_file()
    written = onnx.load(tmp_path / "out" / "generator.fp32.onnx", load_external_data=False)
    assert not any(tensor.external_data for tensor in written.graph.initializer)


def test_a_vector_and_other_shapes_of_the_input_are_taken(tmp_path: Path) -> None:
    path = saved(graphs.generator(flat=False), tmp_path)
    one(path)
    graph = graphs.generator(batch=1)
    graph.graph.input[0].CopyFrom(port("z", [DIM]))
    vector = saved(graph, tmp_path, "vector.onnx")
    one(vector)
    z = latents(range(3), DIM)
    expected = [original(vector, {"z": each[:, 0, 0]})[0] for each in z]
    np.testing.assert_allclose(images(tmp_path, z), expected, atol=FLOAT32)
    graph.graph.input[0].CopyFrom(port("z", [None, None]))
    open_path = saved(graph, tmp_path, "open.onnx")
    with pytest.raises(UsageError, match="--latent-dim"):
        one(open_path)
    assert one(open_path, latent_dim=DIM).architecture.latent_dim == DIM


def test_names_of_ours_in_a_strangers_graph_do_no_harm(tmp_path: Path) -> None:
    graph = graphs.generator()
    renamed = {"z": "images", "img": "latents", "c1": "adopt_shape_images", "r1": "images_half"}
    for each in graph.graph.node:
        each.input[:] = [renamed.get(name, name) for name in each.input]
        each.output[:] = [renamed.get(name, name) for name in each.output]
    graph.graph.input[0].name, graph.graph.output[0].name = "images", "latents"
    path = saved(graph, tmp_path)
    adopt(path, tmp_path / "out")
    z = latents(range(2), DIM)
    expected = onnxruntime.InferenceSession(str(path)).run(["latents"], {"images": z[:, :, 0, 0]})[0]
    np.testing.assert_allclose(images(tmp_path, z), expected, atol=FLOAT32)


def test_what_half_cannot_hold_is_named_with_the_option_that_helps(tmp_path: Path) -> None:
    tail = [
        node("Mul", ["c2", "large"], "l", "enlarge"),
        node("Mul", ["l", "small"], "s", "shrink"),
        node("Tanh", ["s"], "img"),
    ]
    graph = graphs.generator(tail=tail)
    graph.graph.initializer.extend(
        [constant("large", 6e4, np.float32), constant("small", 1 / 6e4, np.float32)]
    )
    path = saved(graph, tmp_path)
    with pytest.raises(VerificationError, match="--keep-fp32 enlarge --keep-fp32 shrink"):
        adopt(path, tmp_path / "out", precisions=["fp16"])
    assert not (tmp_path / "out").exists()
    (mixed,) = adopt(path, tmp_path / "out", precisions=["fp16"], keep_fp32=["enlarge", "shrink"])
    assert mixed.manifest.precision == "mixed"
