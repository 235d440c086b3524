"""Small ONNX generators for the tests of the engine builder, written node by node, with their manifests."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dcgan_edge.artifact import (
    Architecture,
    BatchProfile,
    Manifest,
    Precision,
    embed_manifest,
    generator_tensors,
    write_artifact,
)
from dcgan_edge.export.onnx.precision import to_fp16
from dcgan_edge.export.tensorrt.compile import Job
from dcgan_edge.export.tensorrt.config import Settings

ARCHITECTURE = Architecture("dcgan", 8, 1, 4, latent_dim=16)
BATCH = BatchProfile(1, 4, 8)
MIXED: dict[Precision, tuple[str, ...]] = {"fp16": (), "mixed": ("ConvTranspose_2",)}  # layers in float32
WORKSPACE = 64 * 2**20
needs_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="needs pip install 'dcgan-edge[rtx]'"
)


def model(nodes: list[onnx.NodeProto] | None = None, *, batch: int | None = None) -> onnx.ModelProto:
    """latents (batch, 16, 1, 1) -> images (batch, 1, 8, 8). `nodes` replace the ones between the two."""
    rng = np.random.default_rng(0)
    shapes = {"w0": (16, 4, 4, 4), "b0": (4,), "w1": (4, 1, 4, 4), "b1": (1,), "w2": (4, 4, 3, 3)}
    norm = {"scale": (4,), "var": (4,)}
    axis = "batch" if batch is None else batch
    graph = helper.make_graph(
        nodes or generator_nodes(),
        "generator",
        [helper.make_tensor_value_info("latents", TensorProto.FLOAT, [axis, 16, 1, 1])],
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [axis, 1, 8, 8])],
        [
            numpy_helper.from_array(rng.uniform(0.1, 0.9, shape).astype(np.float32), name)
            for name, shape in {**shapes, **norm}.items()
        ],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10)


def generator_nodes() -> list[onnx.NodeProto]:
    """ConvTranspose_0 -> Relu_1 -> ConvTranspose_2 -> Tanh_3."""
    return [
        helper.make_node("ConvTranspose", ["latents", "w0", "b0"], ["a"], "ConvTranspose_0"),
        helper.make_node("Relu", ["a"], ["b"], "Relu_1"),
        helper.make_node(
            "ConvTranspose", ["b", "w1", "b1"], ["c"], "ConvTranspose_2", strides=[2, 2], pads=[1, 1, 1, 1]
        ),
        helper.make_node("Tanh", ["c"], ["images"], "Tanh_3"),
    ]


def onnx_bytes(precision: Precision = "fp16", *, batch: int | None = None) -> bytes:
    graph = model(batch=batch)
    data: bytes = (
        graph if precision == "fp32" else to_fp16(graph, keep_fp32=MIXED[precision])
    ).SerializeToString(deterministic=True)
    return data


def write_onnx(
    folder: Path, precision: Precision = "fp16", *, batch: int | None = None, data: bytes | None = None
) -> Path:
    """Put `generator.<precision>.onnx` and its manifest into `folder`."""
    source, result = generator_tensors(ARCHITECTURE)
    manifest = Manifest(
        kind="onnx",
        architecture=ARCHITECTURE,
        precision=precision,
        inputs=(source,),
        outputs=(result,),
        batch=BATCH if batch is None else BatchProfile(batch, batch, batch),
        parent_sha256="0" * 64,
        builder="test",
    )
    path = folder / f"generator.{precision}.onnx"
    content = embed_manifest(data or onnx_bytes(precision, batch=batch), manifest)
    write_artifact(path, content, manifest)
    return path


JOB = Job(
    onnx=onnx_bytes(),
    name="generator.fp16.onnx",
    flavour="rtx",
    targets=("sm86",),
    profiles=(BATCH,),
    workspace=WORKSPACE,
    settings=Settings(),
)


def job(**changes: object) -> Job:
    """The usual job, changed."""
    return dataclasses.replace(JOB, **changes)  # type: ignore[arg-type]  # the fields' own types


def no_progress(phase: str, done: int, total: int) -> None:
    """For callers that do not look."""
