"""A generator of 64 pixels that nobody has to train, for programs that time what weights do not change."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from dcgan_edge.artifact import (
    Architecture,
    BatchProfile,
    Manifest,
    Precision,
    embed_manifest,
    generator_tensors,
    write_artifact,
)
from dcgan_edge.models import build_generator

ARCHITECTURE = Architecture("dcgan", size=64, channels=3, width=64)
SETTLING = 64  # images that BatchNorm takes its statistics from


def generator() -> nn.Module:
    """Return the same untrained generator each time. BatchNorm is settled, for without it all images are so
    nearly grey that wrong ones would pass for right.
    """
    torch.manual_seed(0)
    network = build_generator(ARCHITECTURE).train()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0  # take the statistics of the one batch that follows
    with torch.no_grad():
        network(torch.randn(SETTLING, ARCHITECTURE.latent_dim, 1, 1))
    return network.eval()


def make_artifact(folder: Path, precision: Precision) -> Path:
    """Export the generator as `folder`/generator.<precision>.onnx, and return that path."""
    from dcgan_edge.export.onnx.graph import build_graph
    from dcgan_edge.export.onnx.precision import to_fp16

    batch = BatchProfile()
    graph = build_graph(generator(), ARCHITECTURE, batch)
    model = graph if precision == "fp32" else to_fp16(graph)
    source, result = generator_tensors(ARCHITECTURE)
    manifest = Manifest(
        "onnx", ARCHITECTURE, precision, (source,), (result,), batch, "", "benchmarks.untrained"
    )
    path = folder / f"generator.{precision}.onnx"
    write_artifact(path, embed_manifest(model.SerializeToString(), manifest), manifest)
    return path
