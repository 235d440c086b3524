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

CAUSE_LENGTH = 300  # characters of what the exporter says


def build_graph(generator: nn.Module, architecture: Architecture, batch: BatchProfile) -> onnx.ModelProto:
    """Return the float32 ONNX model of `generator`, weights inside, BatchNorm folded.

    Input `latents` float32 (batch, input_dim, 1, 1), output `images` float32 (batch, channels, size, size).
    The batch axis is symbolic, or fixed where `batch` allows a single size.

    Raises EdgeError when the exporter or the ONNX checker refuses the graph.
    """
    static = batch.min == batch.max
    example = torch.zeros(batch.max if static else 2, architecture.input_dim, 1, 1)
    dynamic = None if static else ({0: torch.export.Dim("batch", min=1)},)
    with _quiet():
        try:
            program = torch.onnx.export(
                generator,
                (example,),
                input_names=["latents"],
                output_names=["images"],
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=dynamic,
                external_data=False,
                verbose=False,
            )
        except Exception as error:  # whatever the module's own code and the exporter raise
            raise EdgeError(f"torch.onnx.export cannot follow it ({_cause(error)}).") from error
    if program is None:
        raise EdgeError("torch.onnx.export returned nothing.")
    model = check_graph(program.model_proto)
    ranks = {info.name: len(info.type.tensor_type.shape.dim) for info in model.graph.value_info}
    return check_graph(_tidied(fold_batch_norm(model, ranks)))


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


def _cause(error: BaseException) -> str:
    """Return the kind and the first line of what made the exporter give up."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join([type(error).__name__, *lines[:1]])[:CAUSE_LENGTH]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter from printing; it logs on several loggers and warns about its own internals."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            open(os.devnull, "w") as nowhere,
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
