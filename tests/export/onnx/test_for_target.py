"""Each target gets its rewrites, wherever the graph is from, and the images stay those of PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from dcgan_edge.artifact import TARGETS, Architecture, BatchProfile, Manifest, Target, generator_tensors
from dcgan_edge.errors import UsageError
from dcgan_edge.export.foreign.adopt import adopt
from dcgan_edge.export.onnx.cost import count
from dcgan_edge.export.onnx.for_target import REWRITES, for_target
from dcgan_edge.export.onnx.graph import build_graph
from dcgan_edge.export.writing import Wanted
from dcgan_edge.latents import latents
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from dcgan_edge.runtime.parity import FP32_GATE
from tests.conftest import lively_generator
from tests.foreign_graphs import constant, model, node, port, saved, weight

from .exact import operators

UPSAMPLE = Architecture("dcgan-upsample", 28, 1, 4, latent_dim=16)


def test_every_target_has_its_rewrites_and_no_other() -> None:
    assert set(REWRITES) == set(TARGETS)
    with pytest.raises(UsageError, match="no target"):
        Wanted(target="toaster")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--for"):
        Wanted(engine=True, target="openvino")


@pytest.fixture(scope="module")
def upsampling() -> tuple[torch.nn.Module, onnx.ModelProto]:
    generator = lively_generator(UPSAMPLE)
    return generator, build_graph(generator, UPSAMPLE, BatchProfile())


@pytest.mark.parametrize("target", TARGETS)
def test_the_upsampling_preset_is_folded_for_all_even_at_the_borders(
    upsampling: tuple[torch.nn.Module, onnx.ModelProto], target: Target
) -> None:
    generator, plain = upsampling
    graph, names = for_target(plain, target)
    assert names == ("fuse_upsampling",)
    assert operators(graph) == [
        "Reshape", "Gemm", "Relu", "Reshape", "ConvTranspose", "Relu", "ConvTranspose", "Relu", "Conv",
        "Tanh",
    ]  # fmt: skip
    # The two convolutions cost 4 multiply-adds for 9; dense layer and last convolution are as before.
    assert 0.4 < count(graph).flops / count(plain).flops < 0.6
    z = latents(range(8), 16)
    source, result = generator_tensors(UPSAMPLE)
    manifest = Manifest("onnx", UPSAMPLE, "fp32", (source,), (result,), BatchProfile(), "", "test")
    with torch.inference_mode():
        expected = generator(torch.from_numpy(z)).numpy()
    with OnnxRuntimeSession(manifest, graph.SerializeToString(), device="cpu") as session:
        difference = np.abs(session.run(z) - expected)
    border = np.ones((28, 28), bool)
    border[2:-2, 2:-2] = False
    assert FP32_GATE.atol is not None
    assert difference[..., border].max() <= FP32_GATE.atol
    assert difference.max() <= FP32_GATE.atol


def test_the_projection_is_a_product_on_cpus_alone(exported: Path) -> None:
    plain = onnx.load(exported / "generator.fp32.onnx")
    found = {target: for_target(plain, target) for target in TARGETS}
    assert {target: (operators(graph)[0], names) for target, (graph, names) in found.items()} == {
        "any": ("ConvTranspose", ()),
        "tensorrt": ("ConvTranspose", ()),
        "onnxruntime-cpu": ("Flatten", ("project_by_product",)),
        "openvino": ("Flatten", ("project_by_product",)),
    }


def test_a_strangers_upsampling_is_folded_and_proven_against_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcgan_edge.export.foreign.adopt.check_in_child", lambda *_: None)
    nodes = [
        node("Gemm", ["z", "w1"], "h"),
        node("Reshape", ["h", "planes"], "p"),
        node("Resize", ["p", "", "twice"], "u", "up", mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric"),
        node("Conv", ["u", "w2"], "c", "conv", pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", "gamma", "beta", "mean", "var"], "n", "norm", epsilon=0.8),
        node("LeakyRelu", ["n"], "r", "leaky", alpha=0.2),
        node("Conv", ["r", "w3"], "d", "last", pads=[1, 1, 1, 1]),
        node("Tanh", ["d"], "img", "end"),
    ]  # fmt: skip
    values = np.random.default_rng(0).uniform(0.5, 2, (4, 6))
    statistics = zip(("gamma", "beta", "mean", "var"), values, strict=True)
    weights = [
        weight("w1", 8, 6 * 4 * 4), weight("w2", 6, 6, 3, 3), weight("w3", 3, 6, 3, 3),
        constant("planes", [-1, 6, 4, 4]), constant("twice", [1, 1, 2, 2], np.float32),
        *(constant(name, each, np.float32) for name, each in statistics),
    ]  # fmt: skip
    path = saved(model(nodes, [port("z", ["n", 8])], [port("img", ["n", 3, 8, 8])], weights), tmp_path)
    written = adopt(path, tmp_path / "out")
    for artifact in written:
        assert artifact.manifest.notes["for"] == "any"
        assert artifact.manifest.notes["rewrites"] == ["fuse_upsampling"]
        assert artifact.manifest.parity["verdict"] == "passed"
