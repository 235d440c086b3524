"""The reference of an adopted file: the file itself in ONNX Runtime, as it came, behind `Session`."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper

from dcgan_edge.artifact import Architecture, BatchProfile, Manifest, generator_tensors
from dcgan_edge.errors import ArtifactError
from dcgan_edge.latents import FloatArray
from dcgan_edge.manifest import Origin
from dcgan_edge.runtime.device import cpu_name
from dcgan_edge.runtime.session import Session, SessionFacts, in_chunks

from .adopt_file import ForeignModel
from .adopt_ports import FLOATS, Ports
from .adopt_range import Reading

CHUNK_BYTES = 2**26  # of images that a free batch makes at once


class OnnxReference(Session):
    """A foreign ONNX file in ONNX Runtime on the CPU: canonical latents in, canonical images out.

    The file computes as it was written; only what goes in and comes out is brought into this program's form,
    by NumPy, as the adopted graph does it by nodes of its own.
    """

    def __init__(self, source: ForeignModel, data: bytes, ports: Ports, architecture: Architecture) -> None:
        """Load `data`, the file of `source` with its weights inside. Raises ArtifactError when refused."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        onnxruntime.set_default_logger_severity(4)
        try:
            with contextlib.redirect_stdout(None):  # on which it reports a second attempt
                self._session: Any = onnxruntime.InferenceSession(
                    data, options, providers=["CPUExecutionProvider"]
                )
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise ArtifactError(f"ONNX Runtime refuses {source.name}: {_reason(error)}") from error
        self._version = onnxruntime.__version__
        self._ports = ports
        self.reading: Reading | None = None  # of the range; None leaves images in their own
        inputs, outputs = generator_tensors(architecture)
        most = max(1, min(64, CHUNK_BYTES // (4 * ports.channels * ports.size**2)))
        fixed = ports.batch
        self.manifest = Manifest(
            kind="onnx",
            architecture=architecture,
            precision="fp32",
            inputs=(inputs,),
            outputs=(outputs,),
            batch=BatchProfile(fixed, fixed, fixed) if fixed else BatchProfile(1, most, most),
            parent_sha256="",
            builder="another program",
            origin=Origin(kind="onnx", file=source.name, sha256=source.sha256),
            sha256=source.sha256,
        )

    @property
    def facts(self) -> SessionFacts:
        """Return how the file computes: in ONNX Runtime on the CPU."""
        return SessionFacts("onnxruntime", self._version, "cpu", cpu_name(), "CPUExecutionProvider")

    def run(self, latents: FloatArray) -> FloatArray:
        """Return images of latents, as `Session.run` does; of their own range while it is not known."""
        return in_chunks(self._run, latents, self.manifest)

    def close(self) -> None:
        """Let go of the session. Closing twice is harmless."""
        self._session = None

    def _run(self, latents: FloatArray) -> FloatArray:
        try:
            (made,) = self._session.run([self._ports.output], feeds(self._ports, latents))
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise ArtifactError(f"ONNX Runtime failed on the file: {_reason(error)}") from error
        images = np.asarray(made, np.float32)
        shape = (len(latents), self._ports.channels, self._ports.size, self._ports.size)
        if images.size != np.prod(shape):
            raise ArtifactError(
                f"The file makes a tensor of shape {images.shape} for {len(latents)} latents."
            )
        if self._ports.layout in ("NHWC", "HWC"):
            images = np.moveaxis(images, -1, -3)
        images = np.ascontiguousarray(images).reshape(shape)
        if self.reading is None:
            return images
        factor, summand = map(np.float32, self.reading.affine)
        images = images * factor + summand
        return images if self.reading.certain else np.clip(images, -1, 1)


def feeds(ports: Ports, latents: FloatArray) -> dict[str, npt.NDArray[np.generic]]:
    """Return what the graph is fed for `latents` (batch, latent_dim + classes, 1, 1): names and arrays."""
    count, label = len(latents), ports.label
    flat = latents.reshape(count, -1)
    given = {ports.latent.name: (flat if label is None else flat[:, : ports.latent_dim], ports.latent)}
    if label is not None:
        weights = flat[:, ports.latent_dim :]
        given[label.name] = (weights if label.kind in FLOATS else weights.argmax(axis=1), label)
    return {name: _typed(values, port.kind).reshape(port.at(count)) for name, (values, port) in given.items()}


def _typed(values: npt.NDArray[Any], kind: int) -> npt.NDArray[np.generic]:
    if kind == TensorProto.BFLOAT16:
        raise ArtifactError(
            "The file takes bfloat16, which ONNX Runtime is not fed here; export it in float32."
        )
    return values.astype(helper.tensor_dtype_to_np_dtype(kind))


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
