"""Each target gets its rewrites, wherever the graph is from. That presets stay PyTorch's: `test_presets`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from dcgan_edge.artifact import TARGETS, Target
from dcgan_edge.errors import UsageError
from dcgan_edge.export.foreign.adopt import adopt
from dcgan_edge.export.onnx.checking import check_graph
from dcgan_edge.export.onnx.cost import count
from dcgan_edge.export.onnx.for_target import REWRITES, for_target
from dcgan_edge.export.writing import Wanted
from tests.foreign_graphs import constant, model, node, port, saved

from .exact import assert_same, operators, short


def upsampling() -> onnx.ModelProto:
    """A generator in the manner of PyTorch-GAN: (n, 8) to (n, 3, 8, 8), with BatchNorm of epsilon 0.8."""
    repeat = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    nodes = [
        node("Gemm", ["z", "w1"], "h"),
        node("Reshape", ["h", "planes"], "p"),
        node("Resize", ["p", "", "twice"], "u", "up", **repeat),
        node("Conv", ["u", "w2"], "c", "conv", pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", "gamma", "beta", "mean", "var"], "n", "norm", epsilon=0.8),
        node("LeakyRelu", ["n"], "r", "leaky", alpha=0.2),
        node("Conv", ["r", "w3"], "d", "last", pads=[1, 1, 1, 1]),
        node("Tanh", ["d"], "img", "end"),
    ]
    values = np.random.default_rng(0).uniform(0.5, 2, (4, 6))
    statistics = zip(("gamma", "beta", "mean", "var"), values, strict=True)
    weights = [
        short("w1", 8, 6 * 4 * 4), short("w2", 6, 6, 3, 3), short("w3", 3, 6, 3, 3),
        constant("planes", [-1, 6, 4, 4]), constant("twice", [1, 1, 2, 2], np.float32),
        *(constant(name, each, np.float32) for name, each in statistics),
    ]  # fmt: skip
    return model(nodes, [port("z", ["n", 8])], [port("img", ["n", 3, 8, 8])], weights)


def test_every_target_has_its_rewrites_and_no_other() -> None:
    assert set(REWRITES) == set(TARGETS)
    with pytest.raises(UsageError, match="no target"):
        Wanted(target="toaster")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--for"):
        Wanted(engine=True, target="openvino")


@pytest.mark.parametrize(
    ("target", "painting", "rewrites"),
    [
        ("any", ["Conv"], ()),
        ("tensorrt", ["Conv"], ()),
        ("onnxruntime-cpu", ["ConvTranspose"], ("few_channels_transposed",)),
        ("openvino", ["Conv", "DepthToSpace"], ("few_channels_by_subpixels",)),
    ],
)
def test_upsampling_is_folded_for_all_and_each_cpu_runtime_paints_in_its_way(
    target: Target, painting: list[str], rewrites: tuple[str, ...]
) -> None:
    plain = check_graph(upsampling())
    graph, names = for_target(plain, target)
    assert names == ("fuse_upsampling", *rewrites)
    folded = [op for op in operators(plain) if op != "Resize"]
    folded[folded.index("Conv")] = "ConvTranspose"
    place = folded.index("Conv")
    folded[place : place + 1] = painting
    assert operators(graph) == folded
    assert_same(plain, graph)
    assert count(graph).flops < count(plain).flops


def test_the_projection_is_a_product_on_cpus_alone(exported: Path) -> None:
    plain = onnx.load(exported / "generator.fp32.onnx")
    found = {target: for_target(plain, target) for target in TARGETS}
    assert {target: (operators(graph)[0], names) for target, (graph, names) in found.items()} == {
        "any": ("ConvTranspose", ()),
        "tensorrt": ("ConvTranspose", ()),
        "onnxruntime-cpu": ("Flatten", ("project_by_product",)),
        "openvino": ("Flatten", ("project_with_channels_last", "few_channels_by_subpixels")),
    }


def test_the_layer_that_paints_is_of_subpixels_in_openvino(exported: Path) -> None:
    plain = onnx.load(exported / "generator.fp32.onnx")
    graph, _ = for_target(plain, "openvino")
    assert operators(graph)[-3:] == ["Conv", "DepthToSpace", "Tanh"]
    assert_same(plain, graph)


def test_a_strangers_upsampling_is_folded_and_proven_against_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcgan_edge.export.foreign.adopt.check_in_child", lambda *_: None)
    graph = upsampling()
    for tensor in graph.graph.initializer:
        if tensor.name.startswith("w"):  # smaller ones, so that images are not all black and white
            values = onnx.numpy_helper.to_array(tensor) / 16
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    written = adopt(saved(graph, tmp_path), tmp_path / "out")
    for artifact in written:
        assert artifact.manifest.notes["for"] == "any"
        assert artifact.manifest.notes["rewrites"] == ["fuse_upsampling"]
        assert artifact.manifest.parity["verdict"] == "passed"
