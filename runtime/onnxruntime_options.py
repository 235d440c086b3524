"""Options of ONNX Runtime's execution providers, each set by name, so that no default decides unseen."""

from __future__ import annotations

from typing import Any

from dcgan_edge.artifact import Manifest
from dcgan_edge.files import cache_folder

EXECUTION_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
TENSORRT_WORKSPACE = 256 * 2**20  # bytes


def provider_options(provider: str, manifest: Manifest) -> dict[str, Any]:
    """The options of `provider` for the generator of `manifest`, as ONNX Runtime takes them.

    CUDA searches its convolutions exhaustively, once for each batch. TensorRT keeps engines and timings in
    the user's cache folder, and has one profile for the whole batch range: without it, it would build an
    engine for each new batch size, in the middle of a run.
    """
    if provider == "cuda":
        return {"device_id": "0", "cudnn_conv_algo_search": "EXHAUSTIVE", "do_copy_in_default_stream": "1"}
    if provider == "tensorrt":
        folder = cache_folder() / "onnxruntime-tensorrt" / manifest.sha256[:16]
        batch, name, dim = manifest.batch, manifest.inputs[0].name, manifest.architecture.latent_dim
        return {
            "device_id": "0",
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(folder),
            "trt_max_workspace_size": str(TENSORRT_WORKSPACE),
            "trt_profile_min_shapes": f"{name}:{batch.min}x{dim}x1x1",
            "trt_profile_opt_shapes": f"{name}:{batch.opt}x{dim}x1x1",
            "trt_profile_max_shapes": f"{name}:{batch.max}x{dim}x1x1",
        }
    return {}
