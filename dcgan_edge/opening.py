"""Opening whatever makes images: an artifact by the runtime, a checkpoint by PyTorch."""

from __future__ import annotations

from pathlib import Path

from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.files import StrPath
from dcgan_edge.runtime.device import check_threads, parse_device
from dcgan_edge.runtime.session import Backend, EngineOptions, Session, open_session


def open_generator(
    path: StrPath,
    *,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
    engine: EngineOptions | None = None,
) -> Session:
    """Open a checkpoint in PyTorch, on the CPU in float32, or an artifact as `open_session` does.

    Raises UsageError and UnavailableError when a checkpoint is asked for on a GPU or by a backend, and what
    `open_session` raises.
    """
    path = Path(path)
    check_threads(threads)
    if path.suffix.lower() != ".safetensors":
        return open_session(path, device=device, backend=backend, threads=threads, engine=engine)
    if parse_device(device).kind == "cuda":
        raise UnavailableError(
            f"{path.name} is a checkpoint, and PyTorch runs it here as the reference: on the CPU, in float32."
        )
    if backend != "auto" or engine is not None:
        raise UsageError(
            f"{path.name} is a checkpoint: it runs in PyTorch, and no option of {backend} applies."
        )
    from dcgan_edge.export.onnx.reference import TorchSession

    return TorchSession(path, threads=threads)
