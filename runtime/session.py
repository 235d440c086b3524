"""The one contract between a loaded generator and everything that uses it, and the door to all backends.

`open_session` reads an artifact, checks it against its manifest and hands the checked bytes to a backend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, get_args

import numpy as np

from dcgan_edge.artifact import Manifest, read_artifact
from dcgan_edge.errors import UsageError
from dcgan_edge.latents import FloatArray

Provider = Literal["auto", "cpu", "cuda", "tensorrt"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)


class Session(Protocol):
    """A loaded generator: latents in, images out. Open means usable; after close, nothing is."""

    manifest: Manifest
    facts: dict[str, Any]  # backend, versions, provider, threads: what a record needs to be repeated

    def run(self, latents: FloatArray) -> FloatArray:
        """(batch, latent_dim, 1, 1) -> (batch, channels, size, size) in [-1, 1].

        Any batch is accepted and split to what the artifact takes. The images are complete on return.
        """
        ...

    def close(self) -> None:
        """Give back everything the session holds. Closing twice is harmless."""
        ...

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class EngineOptions:
    """How engines run; ONNX files have no use for it.

    `zero_copy` lets the GPU use host memory in place (None: where both share their memory), `cuda_graph`
    launches each batch size as one graph, `streams` is the number of batches in flight.
    """

    zero_copy: bool | None = None
    cuda_graph: bool = True
    streams: int = 1


def open_session(
    path: Path,
    *,
    provider: Provider = "auto",
    threads: int | None = None,
    engine: EngineOptions | None = None,
) -> Session:
    """Open the artifact at `path`: an ONNX file with ONNX Runtime, an engine with TensorRT.

    `provider` is where an ONNX file runs; "auto" is the best that is here, anything else is had or refused.
    `threads` is for the CPU (None: one per physical core).

    Raises UsageError (no such file, an option that does not apply), ArtifactError (file refused) and
    UnavailableError (a library, provider or device that is not here).
    """
    if path.suffix == ".safetensors":
        raise UsageError(
            f"{path} is a checkpoint, and the runtime runs artifacts. Export it first: "
            f"dcgan-edge export {path} --out DIR"
        )
    manifest, data = read_artifact(path)
    if manifest.kind == "onnx":
        from .onnxruntime_session import OnnxRuntimeSession

        return OnnxRuntimeSession(manifest, data, provider=provider, threads=threads)
    from .tensorrt.session import open_engine

    chosen = engine or EngineOptions()
    return open_engine(
        manifest, data, zero_copy=chosen.zero_copy, cuda_graph=chosen.cuda_graph, streams=chosen.streams
    )


def in_chunks(run: Callable[[FloatArray], FloatArray], latents: FloatArray, manifest: Manifest) -> FloatArray:
    """Run `latents` in pieces that the batch profile of `manifest` allows and join the images.

    The last piece is padded with zeros up to the profile's minimum, and the padding's images are dropped.
    Raises UsageError when the latents are not float32 of the manifest's shape.
    """
    architecture, batch = manifest.architecture, manifest.batch
    if latents.shape[1:] != (architecture.latent_dim, 1, 1) or latents.dtype != np.float32:
        raise UsageError(
            f"Latents are float32 of shape (batch, {architecture.latent_dim}, 1, 1), "
            f"not {latents.dtype} of shape {latents.shape}."
        )
    if batch.min <= len(latents) <= batch.max:
        return run(latents)
    images = np.empty((len(latents), architecture.channels, architecture.size, architecture.size), np.float32)
    for start in range(0, len(latents), batch.max):
        chunk = latents[start : start + batch.max]
        missing = max(0, batch.min - len(chunk))
        padded = np.pad(chunk, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else chunk
        images[start : start + len(chunk)] = run(padded)[: len(chunk)]
    return images
