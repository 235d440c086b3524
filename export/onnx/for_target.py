"""Which exact rewrites the graph of an artifact gets: one table, by what it is to run on.

A rewrite stands here where it was measured to gain on a CPU, or where it changes nothing; GPUs were not
measured. The figures are in docs/performance.md. What gains on one runtime and costs another something is for
that runtime alone.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx

from dcgan_edge.artifact import Target

from .few_channels import few_channels_by_subpixels, few_channels_transposed
from .projection import project_by_product, project_with_channels_last
from .upsampling import fuse_upsampling

Rewrite = Callable[[onnx.ModelProto], onnx.ModelProto]
REWRITES: dict[Target, tuple[Rewrite, ...]] = {
    # 4 multiply-adds for 9: faster on both CPU runtimes, the more the larger the batch.
    "any": (fuse_upsampling,),
    # TensorRT-RTX builds no Gemm in float32 for Turing.
    "tensorrt": (fuse_upsampling,),
    # Both run a transposed convolution image by image, and a product for the whole batch. Each has a form of
    # its own for the layer that paints.
    "onnxruntime-cpu": (fuse_upsampling, project_by_product, few_channels_transposed),
    # Its convolutions have the channels last.
    "openvino": (fuse_upsampling, project_with_channels_last, few_channels_by_subpixels),
}


def for_target(model: onnx.ModelProto, target: Target) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """Return `model`, which is checked, in the form for `target`, and the names of what was rewritten."""
    done = []
    for rewrite in REWRITES[target]:
        rewritten = rewrite(model)
        if rewritten is not model:
            done.append(rewrite.__name__)
            model = rewritten
    return model, tuple(done)
