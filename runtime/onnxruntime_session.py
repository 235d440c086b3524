"""A session on ONNX Runtime. What was asked for is what runs: there is no fallback to another provider."""

from __future__ import annotations

import contextlib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcgan_edge.artifact import Manifest
from dcgan_edge.errors import ArtifactError, EdgeError, UnavailableError, UsageError
from dcgan_edge.files import cache_folder
from dcgan_edge.held_file import HeldFile
from dcgan_edge.images import ImageArray
from dcgan_edge.latents import FloatArray

from .device import ComputeDevice, cpu_name, gpu_name, parse_device, why_no_gpu
from .session import Backend, Session, SessionFacts, in_chunks

if TYPE_CHECKING:
    import onnxruntime

EXECUTION_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
TYPES = {"float32": "tensor(float)", "uint8": "tensor(uint8)"}
TENSORRT_WORKSPACE = 256 * 2**20  # bytes
REMEDY = "pip install 'dcgan-edge[gpu]' brings a build that has it; for a Jetson NVIDIA has one."
SILENT = 4  # log severity "fatal": what goes wrong is raised, not printed beside our own output


class OnnxRuntimeSession(Session):
    """ONNX Runtime on the CPU or on an NVIDIA GPU, behind the `Session` contract."""

    def __init__(
        self,
        manifest: Manifest,
        data: bytes | HeldFile,
        *,
        device: str = "auto",
        backend: Backend = "auto",
        threads: int | None = None,
    ) -> None:
        """Load the ONNX file `data`, which may be closed afterwards; errors as for `open_session`."""
        ort = _import_onnxruntime()
        chosen = parse_device(device)
        provider, reason = _choose(chosen, backend, ort.get_available_providers())
        options = ort.SessionOptions()
        options.log_severity_level = SILENT
        if threads is not None:
            options.intra_op_num_threads = threads
        if provider != "cpu":
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        settings = provider_options(provider, manifest, chosen.index)
        self.manifest = manifest
        self._session: onnxruntime.InferenceSession | None = _load(
            ort, _model(data, provider), options, provider, settings
        )
        _check_tensors(self._session, manifest)
        self._bound = provider != "cpu"
        self._input = manifest.inputs[0].name
        self._outputs = [manifest.outputs[0].name]
        self._facts = SessionFacts(
            backend="onnxruntime",
            version=ort.__version__,
            device="cpu" if provider == "cpu" else f"cuda:{chosen.index}",
            device_name=cpu_name() if provider == "cpu" else gpu_name(chosen.index),
            provider=EXECUTION_PROVIDERS[provider],
            threads=threads,
            details={"provider_options": settings, **({"auto": reason} if reason else {})},
        )

    @property
    def facts(self) -> SessionFacts:
        """Return how ONNX Runtime computes: provider, device, options and, after `auto`, why."""
        return self._facts

    def raw(self, latents: FloatArray) -> ImageArray:
        """Return images of latents, as `Session.raw` does."""
        return in_chunks(self._run, latents, self.manifest)

    def close(self) -> None:
        """Let go of the session. Closing twice is harmless."""
        self._session = None

    def _run(self, latents: FloatArray) -> ImageArray:
        if self._session is None:
            raise EdgeError("This session is closed.")
        try:
            if self._bound:
                return run_bound(self._session, self._input, self._outputs[0], latents)
            images: ImageArray = self._session.run(self._outputs, {self._input: latents})[0]
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise EdgeError(f"ONNX Runtime failed on this file: {_reason(error)}") from error
        return images


def run_bound(
    session: Any, source: str, result: str, latents: FloatArray, device: str = "cuda"
) -> ImageArray:
    """Run with the output left on `device` until it is complete, then copied to host memory once."""
    binding = session.io_binding()
    binding.bind_cpu_input(source, latents)
    binding.bind_output(result, device)
    session.run_with_iobinding(binding)
    binding.synchronize_outputs()
    images: ImageArray = binding.copy_outputs_to_cpu()[0]
    return images


def _import_onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UnavailableError(
            "ONNX files run on ONNX Runtime, which is not installed: pip install 'dcgan-edge[cpu]', or "
            "'dcgan-edge[gpu]' on an NVIDIA GPU."
        ) from error
    return onnxruntime


def _choose(device: ComputeDevice, backend: Backend, available: list[str]) -> tuple[str, str]:
    """Return the execution provider to load, and why "auto" does not take the GPU, if it does not.

    Raises UnavailableError when what was asked for cannot be had here.
    """
    tensorrt = backend == "onnxruntime-tensorrt"
    if tensorrt and device.kind == "cpu":
        raise UsageError("The backend onnxruntime-tensorrt runs on a GPU, not on --device cpu.")
    if device.kind == "cpu":
        return "cpu", ""
    provider = "tensorrt" if tensorrt else "cuda"
    hidden, lacking = why_no_gpu(), EXECUTION_PROVIDERS[provider] not in available
    if device.kind == "auto" and not tensorrt and (hidden or lacking):
        reason = hidden or f"this ONNX Runtime has no {EXECUTION_PROVIDERS[provider]}"
        if not hidden:  # with a GPU in sight this may surprise
            logging.getLogger(__name__).warning("The CPU computes: %s. %s", reason, REMEDY)
        return "cpu", reason
    if lacking:
        raise UnavailableError(
            f"This ONNX Runtime has no {EXECUTION_PROVIDERS[provider]}. {REMEDY} "
            "Nothing was run on the CPU instead."
        )
    if hidden:
        raise UnavailableError(
            f"{EXECUTION_PROVIDERS[provider]} cannot run here: {hidden}. Nothing was run on the CPU instead."
        )
    return provider, ""


def _model(data: bytes | HeldFile, provider: str) -> str | bytes:
    """Return what ONNX Runtime is to load: a path on the CPU, which takes as much less memory as the file has
    bytes; TensorRT would name its cache by it.
    """
    if isinstance(data, HeldFile):
        return data.source() if provider == "cpu" else data.read()
    return data


def _load(ort: Any, model: str | bytes, options: Any, provider: str, settings: dict[str, Any]) -> Any:
    wanted = EXECUTION_PROVIDERS[provider]
    for key in ("trt_engine_cache_path", "trt_timing_cache_path"):
        if key in settings:
            Path(settings[key]).mkdir(parents=True, exist_ok=True)
    ort.set_default_logger_severity(SILENT)
    try:
        with contextlib.redirect_stdout(None):  # some builds print their fallback attempts
            session = ort.InferenceSession(model, options, providers=[(wanted, settings)])
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        reason = _reason(error)
        if "max supported IR version" in reason:
            raise UnavailableError(
                f"This file is newer than ONNX Runtime {ort.__version__} can read; version 1.18 can: "
                "pip install --upgrade 'onnxruntime>=1.18'"
            ) from error
        if provider == "cpu":
            raise ArtifactError(f"ONNX Runtime refuses this file: {reason}") from error
        raise UnavailableError(
            f"{wanted} could not be started: {reason} Nothing was run on the CPU."
        ) from error
    if session.get_providers()[0] != wanted:
        raise UnavailableError(
            f"{wanted} could not be started; ONNX Runtime offered {session.get_providers()}."
        )
    return session


def _reason(error: Exception) -> str:
    """Return what ONNX Runtime says, without the place in its own source code that it names first."""
    return re.sub(r"\S*/onnxruntime_src/.*\) ", "", " ".join(str(error).split()))[:300]


def _check_tensors(session: Any, manifest: Manifest) -> None:
    """Raise ArtifactError unless the graph takes and gives the tensors of its manifest."""
    for found, described in (
        (session.get_inputs(), manifest.inputs),
        (session.get_outputs(), manifest.outputs),
    ):
        theirs = [(each.name, each.type, tuple(each.shape[1:])) for each in found]
        ours = [(each.name, TYPES.get(each.dtype), each.shape[1:]) for each in described]
        if theirs != ours:
            raise ArtifactError(f"This graph has the tensors {theirs}, and its manifest describes {ours}.")


def provider_options(provider: str, manifest: Manifest, index: int = 0) -> dict[str, Any]:
    """Return the options of `provider` for the generator of `manifest` on GPU `index`, each set by name, so
    that no default of ONNX Runtime decides unseen.

    CUDA searches its convolutions exhaustively, once for each batch, and computes float32 in float32: by
    default it would in TF32, of 10 bits, in which trained weights miss the gate of fp32. TensorRT keeps
    engines and timings in the user's cache folder, and has one profile for the whole batch range: without
    it, it would build an engine for each new batch size, in the middle of a run.
    """
    if provider == "cuda":
        return {
            "device_id": str(index),
            "cudnn_conv_algo_search": "EXHAUSTIVE",
            "do_copy_in_default_stream": "1",
            "use_tf32": "0",
        }
    if provider == "tensorrt":
        folder = cache_folder() / "onnxruntime-tensorrt" / manifest.sha256[:16]
        batch, name, dim = manifest.batch, manifest.inputs[0].name, manifest.architecture.input_dim
        return {
            "device_id": str(index),
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
