"""A generator in PyTorch to an ONNX graph: one file, opset 18, dynamic or static batch, checked."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator

import onnx
import torch
from torch import nn

from dcgan_edge.artifact import Architecture, BatchProfile
from dcgan_edge.errors import EdgeError

from .checking import OPSET, check_graph
from .folding import fold_batch_norm


def build_graph(generator: nn.Module, architecture: Architecture, batch: BatchProfile) -> onnx.ModelProto:
    """Return the float32 ONNX model of `generator`, BatchNorm folded, weights inside.

    Input `latents` float32 (batch, input_dim, 1, 1), output `images` float32 (batch, channels, size, size).
    The batch axis is symbolic, or fixed where `batch` allows a single size.

    Raises EdgeError when the exporter or the ONNX checker refuses the graph.
    """
    folded = fold_batch_norm(generator)
    static = batch.min == batch.max
    example = torch.zeros(batch.max if static else 2, architecture.input_dim, 1, 1)
    dynamic = None if static else ({0: torch.export.Dim("batch", min=1)},)
    with _quiet():
        program = torch.onnx.export(
            folded,
            (example,),
            input_names=["latents"],
            output_names=["images"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=dynamic,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise EdgeError("torch.onnx.export returned nothing.")
    model = _tidied(program.model_proto)
    return check_graph(model)


def _tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the exporter's debugging notes, which hold source code and paths of the machine it ran on."""
    graph = model.graph
    for holder in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        del holder.metadata_props[:]
        holder.doc_string = ""
    del model.metadata_props[:]
    model.doc_string = ""
    graph.name = "generator"
    for index, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{index}"
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter from printing; it logs on several loggers and warns about its own internals."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            open(os.devnull, "w") as nowhere,
            contextlib.redirect_stdout(nowhere),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
