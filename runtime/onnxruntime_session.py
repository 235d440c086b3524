"""A session on ONNX Runtime. What was asked for is what runs: there is no fallback to another provider."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcgan_edge.artifact import Manifest
from dcgan_edge.errors import ArtifactError, EdgeError, UnavailableError
from dcgan_edge.latents import FloatArray

from .device import has_nvidia_gpu
from .onnxruntime_options import EXECUTION_PROVIDERS, provider_options
from .session import Provider, Session, in_chunks

if TYPE_CHECKING:
    import onnxruntime

SILENT = 4  # log severity "fatal": what goes wrong is raised, not printed beside our own output


class OnnxRuntimeSession(Session):
    """ONNX Runtime on the CPU or on an NVIDIA GPU, behind the `Session` contract."""

    def __init__(
        self, manifest: Manifest, data: bytes, *, provider: Provider = "auto", threads: int | None = None
    ) -> None:
        """Load the ONNX file `data`; errors as for `open_session`."""
        ort = _import_onnxruntime()
        chosen = _choose(provider, ort.get_available_providers())
        options = ort.SessionOptions()
        options.log_severity_level = SILENT
        if threads is not None:
            options.intra_op_num_threads = threads
        if chosen != "cpu":
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        self.manifest = manifest
        self._session: onnxruntime.InferenceSession | None = _load(ort, data, options, chosen, manifest)
        self._bound = chosen != "cpu"
        self._input = manifest.inputs[0].name
        self._outputs = [manifest.outputs[0].name]
        self.facts: dict[str, Any] = {
            "backend": "onnxruntime",
            "version": ort.__version__,
            "provider": EXECUTION_PROVIDERS[chosen],
            "provider_options": provider_options(chosen, manifest),
            "device": "cpu" if chosen == "cpu" else "gpu",
            "threads": threads or "one per physical core",
        }

    def run(self, latents: FloatArray) -> FloatArray:
        return in_chunks(self._run, latents, self.manifest)

    def close(self) -> None:
        self._session = None

    def _run(self, latents: FloatArray) -> FloatArray:
        if self._session is None:
            raise EdgeError("This session is closed.")
        if self._bound:
            return run_bound(self._session, self._input, self._outputs[0], latents)
        images: FloatArray = self._session.run(self._outputs, {self._input: latents})[0]
        return images


def run_bound(
    session: Any, source: str, result: str, latents: FloatArray, device: str = "cuda"
) -> FloatArray:
    """Run with the output left on `device` until it is complete, then copied to host memory once."""
    binding = session.io_binding()
    binding.bind_cpu_input(source, latents)
    binding.bind_output(result, device)
    session.run_with_iobinding(binding)
    binding.synchronize_outputs()
    images: FloatArray = binding.copy_outputs_to_cpu()[0]
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


def _choose(provider: Provider, available: list[str]) -> str:
    """The provider to load. Raises UnavailableError when this build of ONNX Runtime does not have it."""
    if provider == "auto":
        return "cuda" if has_nvidia_gpu() and EXECUTION_PROVIDERS["cuda"] in available else "cpu"
    if EXECUTION_PROVIDERS[provider] not in available:
        raise UnavailableError(
            f"This ONNX Runtime has no {EXECUTION_PROVIDERS[provider]}; pip install 'dcgan-edge[gpu]' brings "
            "a build that has. Nothing was run on the CPU instead."
        )
    if provider != "cpu" and not has_nvidia_gpu():
        raise UnavailableError(
            f"{EXECUTION_PROVIDERS[provider]} needs an NVIDIA GPU with its driver; this machine has none. "
            "Nothing was run on the CPU instead."
        )
    return provider


def _load(ort: Any, data: bytes, options: Any, provider: str, manifest: Manifest) -> Any:
    wanted, settings = EXECUTION_PROVIDERS[provider], provider_options(provider, manifest)
    for key in ("trt_engine_cache_path", "trt_timing_cache_path"):
        if key in settings:
            Path(settings[key]).mkdir(parents=True, exist_ok=True)
    ort.set_default_logger_severity(SILENT)
    try:
        with contextlib.redirect_stdout(None):  # some builds print their fallback attempts
            session = ort.InferenceSession(data, options, providers=[(wanted, settings)])
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        reason = str(error).strip().splitlines()[0][:300]
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
