"""The one contract between a loaded generator and everything that uses it, and the door to all backends.

`open_session` checks an artifact against its manifest, and hands a backend what was checked and nothing else.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from dcgan_edge.artifact import Manifest, held_artifact
from dcgan_edge.errors import ArtifactError, UnavailableError, UsageError
from dcgan_edge.extras import is_installed
from dcgan_edge.files import StrPath
from dcgan_edge.held_file import HeldFile
from dcgan_edge.images import ImageArray, PixelArray, as_images, as_pixels
from dcgan_edge.latents import FloatArray, as_latents
from dcgan_edge.profile import NAME as PROFILE
from dcgan_edge.profile import chosen_artifact, not_followed, way_of
from dcgan_edge.words import quoted

from .device import Backend, ComputeDevice, check_threads, parse_device

if TYPE_CHECKING:
    if sys.version_info >= (3, 11):
        from typing import Self
    else:
        from typing_extensions import Self

__all__ = ["Backend", "EngineOptions", "Session", "SessionFacts", "in_chunks", "open_session"]


@dataclass(frozen=True)
class SessionFacts:
    """How a session computes: the same record from every backend, written into every benchmark.

    `device` is "cpu" or "cuda:0", `device_name` the processor's or the GPU's own name, `provider` ONNX
    Runtime's execution provider ("" elsewhere). `threads` None is the backend's default, one for each
    physical core; `streams` is the number of batches in flight. `details` is what only this backend has.
    """

    backend: str
    version: str
    device: str
    device_name: str
    provider: str = ""
    threads: int | None = None
    streams: int = 1
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return dataclasses.asdict(self)


class Session(Protocol):
    """A loaded generator: latents in, images out. Open means usable; after close, nothing is."""

    manifest: Manifest

    @property
    def facts(self) -> SessionFacts:
        """How this session computes; an engine learns some of it at the first run of a batch size."""
        ...

    def raw(self, latents: FloatArray) -> ImageArray:
        """(batch, latent_dim, 1, 1) -> images as the artifact makes them: as `manifest.outputs[0]` says.

        Any batch is accepted and split to what the artifact takes. The images are complete on return.
        Raises UsageError for latents of another shape; other float types than float32 are cast.
        A session overrides this or, where it makes float images, `run`.
        """
        return self.run(latents)

    def run(self, latents: FloatArray) -> FloatArray:
        """(batch, latent_dim, 1, 1) -> float32 (batch, channels, size, size) in [-1, 1], whatever `raw` is.

        Raises as `raw` does.
        """
        return as_images(self.raw(latents), self.manifest.outputs[0].layout)

    def pixels(self, latents: FloatArray) -> PixelArray:
        """(batch, latent_dim, 1, 1) -> uint8 (batch, size, size, channels): where `raw` is bytes, those.

        Raises as `raw` does, and EdgeError for images with NaN.
        """
        return as_pixels(self.raw(latents), self.manifest.outputs[0].layout)

    def generate(self, seeds: Sequence[int], classes: str | Sequence[int] | None = None) -> PixelArray:
        """Return uint8 images (n, size, size, channels), one for each of `seeds` in the order asked.

        A seed may occur several times. Its image does not depend on the other seeds (see `sampling`).
        `classes` are one name or number for all, or one for each seed; None is class s modulo their number.
        Raises UsageError for a seed that is negative or too large, and for a class that is not there.
        """
        from .sampling import generate

        return generate(self, seeds, classes)

    def close(self) -> None:
        """Give back everything the session holds. Closing twice is harmless."""
        ...

    def __enter__(self) -> Self:
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
    path: StrPath,
    *,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
    engine: EngineOptions | None = None,
) -> Session:
    """Open the artifact at `path`: an ONNX file with ONNX Runtime or OpenVINO, an engine with TensorRT.

    `device` is "auto" (the GPU if this backend can use one here), "cpu", "cuda" or "cuda:1"; `backend` is
    "auto", or one that is used or refused. For an ONNX file "auto" is what the profile beside it says
    (`dcgan-edge tune`), if it was made here and neither `threads` nor another device is asked for; else ONNX
    Runtime, or OpenVINO where the file was written for it and it is installed, and where ONNX Runtime is not.
    `path` may be the profile itself, which stands for its best artifact. `threads` is for the CPU (None: one
    for each physical core), `engine` for engines.

    Raises UsageError (no such file, an option that does not apply to it), ArtifactError (file refused) and
    UnavailableError (a library, backend or device that is not here).
    """
    path = chosen_artifact(path)
    chosen = parse_device(device)
    check_threads(threads)
    if path.suffix.lower() == ".safetensors":
        raise UsageError(
            f"{path} is a checkpoint, and the runtime runs artifacts. Export it first: "
            f"dcgan-edge export {quoted(path)} --out DIR"
        )
    with held_artifact(path) as (manifest, file):
        if manifest.kind == "onnx":
            if engine is not None:
                raise UsageError(
                    f"{path.name} is an ONNX file; zero-copy, CUDA graphs and streams are for engines."
                )
            if backend == "tensorrt":
                raise UsageError(
                    f"{path.name} is an ONNX file; for TensorRT, build an engine: dcgan-edge build."
                )
            if backend == "auto" and threads is None:
                session = _as_tuned(path, manifest, file, chosen)
                if session is not None:
                    return session
            return _open_onnx(manifest, file, chosen, backend, threads)
        if backend not in ("auto", "tensorrt"):
            raise UsageError(f"{path.name} is an engine, and runs on TensorRT alone, not on {backend}.")
        if chosen.kind == "cpu" or threads is not None:
            raise UsageError(f"{path.name} is an engine, and runs on a GPU: no --device cpu, no CPU threads.")
        from .tensorrt.session import open_engine

        options = engine or EngineOptions()
        return open_engine(
            manifest,
            file.read(),
            zero_copy=options.zero_copy,
            cuda_graph=options.cuda_graph,
            streams=options.streams,
            device_index=chosen.index,
        )


def _open_onnx(
    manifest: Manifest, file: HeldFile, device: ComputeDevice, backend: Backend, threads: int | None
) -> Session:
    if backend == "openvino" or (backend == "auto" and _suits_openvino(manifest, device)):
        from .openvino_session import OpenVinoSession

        return OpenVinoSession(manifest, file.read(), device=str(device), threads=threads)
    from .onnxruntime_session import OnnxRuntimeSession

    return OnnxRuntimeSession(manifest, file, device=str(device), backend=backend, threads=threads)


def _as_tuned(path: Path, manifest: Manifest, file: HeldFile, device: ComputeDevice) -> Session | None:
    """Open the ONNX file as the profile beside it says, None where there is none that can be followed."""
    profile = path.with_name(PROFILE)
    way = way_of(path, manifest.sha256) if profile.is_file() else None
    if way is None or str(device) not in ("auto", way.device):
        return None
    try:
        session = _open_onnx(manifest, file, parse_device(way.device), way.backend, way.threads)
    except UnavailableError as error:
        not_followed(profile, str(error))
        return None
    facts = session.facts
    if (facts.version, facts.device_name) == (way.version, way.device_name):
        return session
    session.close()
    here = f"{facts.backend} {facts.version} on {facts.device_name}"
    not_followed(
        profile, f"it was made with {way.backend} {way.version} on {way.device_name}; here is {here}."
    )
    return None


def _suits_openvino(manifest: Manifest, device: ComputeDevice) -> bool:
    """Whether an ONNX file was written for OpenVINO, or nothing else can run it here, and OpenVINO can."""
    if device.kind == "cuda" or not is_installed("openvino"):
        return False
    return manifest.notes.get("for") == "openvino" or not is_installed("onnxruntime")


Images = TypeVar("Images", bound=ImageArray)


def in_chunks(run: Callable[[FloatArray], Images], latents: FloatArray, manifest: Manifest) -> Images:
    """Run `latents` in pieces that the batch profile of `manifest` allows and join the images, which are as
    its output says.

    The last piece is padded with zeros up to the profile's minimum, and the padding's images are dropped.
    Raises what `as_latents` raises.
    """
    batch, result = manifest.batch, manifest.outputs[0]
    latents = as_latents(latents, manifest.architecture.input_dim)
    shape = result.shape[1:]
    if batch.min <= len(latents) <= batch.max:
        return _checked(run(latents), (len(latents), *shape))
    images: Any = np.empty((len(latents), *map(int, shape)), result.dtype)
    for start in range(0, len(latents), batch.max):
        chunk = latents[start : start + batch.max]
        missing = max(0, batch.min - len(chunk))
        padded = np.pad(chunk, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else chunk
        images[start : start + len(chunk)] = _checked(run(padded), (len(padded), *shape))[: len(chunk)]
    made: Images = images
    return made


def _checked(images: Images, shape: tuple[int | str, ...]) -> Images:
    if images.shape != shape:
        raise ArtifactError(f"The artifact made images of shape {images.shape}; its manifest says {shape}.")
    return images
