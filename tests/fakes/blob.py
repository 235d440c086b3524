"""The engine file of the in-memory library: an ONNX file behind a header. ONNX Runtime evaluates it."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

import onnxruntime

from dcgan_edge.latents import FloatArray

MAGIC = b"fake"


@dataclass(frozen=True)
class Blob:
    """What is inside the fake engine file."""

    version: str
    targets: tuple[str, ...]
    profiles: tuple[tuple[int, int, int], ...]
    onnx: bytes
    dtype: str = "FLOAT"  # of the inputs and outputs; and their format and place
    format: str = "LINEAR"
    location: str = "DEVICE"
    names: tuple[str, str] = ("latents", "images")
    host_code: bool = False
    capturable: bool = True
    images_per_latent: int = 1
    warning: str = ""  # what the library has to say about it
    empty_graph: bool = False  # a capture records nothing, as when the library works on another stream
    described_as: str | None = None  # the inspector's JSON; None: made up from the tensors
    verbosity: str = "DETAILED"
    computes_in: str = "FP32"  # between its layers, as the inspector tells it: "FP32" or "FP16"
    error: float = 0.0  # added to every pixel: an engine that computes something slightly wrong
    replay_error: float = 0.0  # the same, where a captured graph computes

    def pack(self) -> bytes:
        facts = {key: value for key, value in vars(self).items() if key != "onnx"}
        header = json.dumps(facts).encode()
        return MAGIC + len(header).to_bytes(4, "little") + header + self.onnx

    @classmethod
    def unpack(cls, data: bytes) -> Blob:
        """Raises ValueError for anything else."""
        if data[:4] != MAGIC:
            raise ValueError("magicTag does not match")
        end = 8 + int.from_bytes(data[4:8], "little")
        facts = json.loads(data[8:end])
        lists = {key: tuple(value) for key, value in facts.items() if isinstance(value, list)}
        lists["profiles"] = tuple(tuple(profile) for profile in facts["profiles"])
        return cls(**{**facts, **lists}, onnx=data[end:])


@functools.lru_cache(maxsize=8)
def evaluator(onnx: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])


def evaluate(onnx: bytes, latents: FloatArray) -> FloatArray:
    images: FloatArray = evaluator(onnx).run(None, {"latents": latents})[0]
    return images
