"""Every preset goes all the way: ONNX in both precisions, parity with PyTorch, an engine for every target."""

from __future__ import annotations

import pytest
import torch

from dcgan_edge.artifact import Architecture, BatchProfile, Manifest, Precision, generator_tensors
from dcgan_edge.errors import EdgeError
from dcgan_edge.export.onnx.for_target import for_target
from dcgan_edge.export.onnx.graph import build_graph
from dcgan_edge.export.onnx.precision import to_fp16
from dcgan_edge.export.tensorrt.compile import compile_engine
from dcgan_edge.export.tensorrt.targets import AHEAD_OF_TIME
from dcgan_edge.latents import latents
from dcgan_edge.models import PRESETS
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from dcgan_edge.runtime.parity import GATES, compare
from tests.conftest import lively_generator
from tests.engine_models import job, needs_rtx, no_progress

pytestmark = needs_rtx
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16")
SEEDS = range(8)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("batch", [BatchProfile(1, 4, 8), BatchProfile(4, 4, 4)], ids=["dynamic", "static"])
def test_a_preset_exports_matches_and_builds(preset: str, batch: BatchProfile) -> None:
    architecture = Architecture(preset, 28, 1, 8, latent_dim=16)
    generator = lively_generator(architecture)
    graph, rewrites = for_target(build_graph(generator, architecture, batch), "any")
    assert rewrites == (("fuse_upsampling",) if preset == "dcgan-upsample" else ())
    z = latents(SEEDS, architecture.latent_dim)
    with torch.inference_mode():
        expected = generator(torch.from_numpy(z)).numpy()
    source, result = generator_tensors(architecture)
    for precision in PRECISIONS:
        model = graph if precision == "fp32" else to_fp16(graph)
        data = model.SerializeToString()
        manifest = Manifest("onnx", architecture, precision, (source,), (result,), batch, "", "test")
        with OnnxRuntimeSession(manifest, data, device="cpu") as session:
            parity = compare(expected, session.run(z), SEEDS, GATES[precision])
        assert parity.passed, (precision, parity.missed)
        targets: tuple[str, ...] = AHEAD_OF_TIME
        if precision == "fp32" and any(node.op_type == "Gemm" for node in graph.graph.node):
            # TensorRT-RTX has no float32 dense layers for Turing, and says which layer it is.
            with pytest.raises(EdgeError, match=r"Gemm_\d+"):
                compile_engine(job(onnx=data, targets=("sm75",), profiles=(batch,)), no_progress)
            targets = tuple(target for target in AHEAD_OF_TIME if target != "sm75")
        built = compile_engine(job(onnx=data, targets=targets, profiles=(batch,)), no_progress)
        assert built.engine
        assert built.warnings == ()
