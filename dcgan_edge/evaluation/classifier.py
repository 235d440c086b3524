"""The frozen digit classifier that travels with the package: its features are what digits are judged by.

The same weights lie here twice: as ONNX, for ONNX Runtime on a device without torch, and as safetensors, for
PyTorch where gradients are wanted. Either file's hash is checked before it is read.
"""

from __future__ import annotations

import importlib.util
import json
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from dcgan_edge.artifact import sha256
from dcgan_edge.errors import ArtifactError, UnavailableError, UsageError
from dcgan_edge.evaluation.extractor import FeatureExtractor, in_batches
from dcgan_edge.latents import FloatArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

Backend = Literal["auto", "onnxruntime", "torch"]
FILES = {"onnxruntime": "digits.onnx", "torch": "digits.safetensors"}
RECORD = "digits.json"
SIZE, CLASSES = 28, 10
FRAME = 2  # pixels that digits of 32 have on each side, see dcgan_edge.data.idx


class DigitFeatures(FeatureExtractor):
    """Features and class logits of grey digits of 28 pixels (white on black, [-1, 1]), or 32 with a frame."""

    def __init__(
        self, run: Callable[[FloatArray], tuple[FloatArray, FloatArray]], dim: int, facts: dict[str, Any]
    ) -> None:
        """`run` takes one batch (n, 1, 28, 28) to its features (n, dim) and logits (n, 10)."""
        self._run, self.dim, self.facts = run, dim, facts

    def features(self, images: FloatArray) -> FloatArray:
        """Turn (n, 1, 28, 28) into (n, dim), not negative, mean square 1 on digits. Errors as `both`."""
        return self.both(images)[0]

    def logits(self, images: FloatArray) -> FloatArray:
        """Turn (n, 1, 28, 28) into (n, 10), one logit per digit. Errors as `both`."""
        return self.both(images)[1]

    def both(self, images: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return features (n, dim) and logits (n, 10) in one pass.

        Raises UsageError for images that are no grey digits of 28 or 32 pixels.
        """
        digits = _as_digits(images)
        joined = in_batches(lambda batch: np.hstack(self._run(batch)), digits, self.dim + CLASSES)
        return joined[:, : self.dim], joined[:, self.dim :]


def load_digit_features(backend: Backend = "auto") -> DigitFeatures:
    """Load the shipped classifier on ONNX Runtime, or on PyTorch; "auto" takes the first of them that is
    here.

    Raises UnavailableError when neither is, ArtifactError when the weights are not those that were shipped.
    """
    if backend == "auto":
        backend = _installed()
    facts = {"name": "digits", "backend": backend, **digit_record()["files"][FILES[backend]]}
    dim = int(digit_record()["feature_size"])
    run, facts["version"] = _on_onnxruntime() if backend == "onnxruntime" else _on_torch()
    return DigitFeatures(run, dim, facts)


def load_digit_network() -> nn.Sequential:
    """Load the classifier in PyTorch, frozen, eval mode: submodule "body" gives features, "head" logits."""
    from safetensors.torch import load

    from dcgan_edge.evaluation.digit_network import build_digit_network

    network = build_digit_network()
    network.load_state_dict(load(_checked(FILES["torch"])))
    return network.requires_grad_(False).eval()


def digit_record() -> dict[str, Any]:
    """Return what is known of the shipped weights: hashes, accuracy on the test split, seed, versions."""
    record: dict[str, Any] = json.loads(resources.files(__package__).joinpath(RECORD).read_bytes())
    return record


def _installed() -> Backend:
    for library in get_args(Backend)[1:]:
        if importlib.util.find_spec(library) is not None:
            found: Backend = library
            return found
    raise UnavailableError(
        "The digit classifier runs on ONNX Runtime or PyTorch, and neither is installed: "
        "pip install 'dcgan-edge[cpu]'"
    )


def _checked(name: str) -> bytes:
    """The content of the shipped file `name`, after its hash was found to be the recorded one."""
    data = resources.files(__package__).joinpath(name).read_bytes()
    if sha256(data) != digit_record()["files"][name]["sha256"]:
        raise ArtifactError(f"{name} is not the file that was shipped. Install dcgan-edge again.")
    return data


def _on_onnxruntime() -> tuple[Callable[[FloatArray], tuple[FloatArray, FloatArray]], str]:
    import onnxruntime

    session = onnxruntime.InferenceSession(_checked(FILES["onnxruntime"]), providers=["CPUExecutionProvider"])

    def run(images: FloatArray) -> tuple[FloatArray, FloatArray]:
        features, logits = session.run(["features", "logits"], {"images": images})
        return features, logits

    return run, str(onnxruntime.__version__)


def _on_torch() -> tuple[Callable[[FloatArray], tuple[FloatArray, FloatArray]], str]:
    import torch

    network = load_digit_network()
    body, head = network.get_submodule("body"), network.get_submodule("head")

    def run(images: FloatArray) -> tuple[FloatArray, FloatArray]:
        with torch.inference_mode():
            features = body(torch.from_numpy(images))
            return features.numpy(), head(features).numpy()

    return run, str(torch.__version__)


def _as_digits(images: FloatArray) -> FloatArray:
    """Contiguous float32 (n, 1, 28, 28); the frame of digits of 32 pixels is taken off again."""
    if images.ndim == 4 and images.shape[1:] == (1, SIZE + 2 * FRAME, SIZE + 2 * FRAME):
        images = images[:, :, FRAME:-FRAME, FRAME:-FRAME]
    if images.shape[1:] != (1, SIZE, SIZE):
        raise UsageError(
            "The digit classifier takes grey images of 28 or 32 pixels, not images of shape "
            f"{'x'.join(map(str, images.shape[1:]))}. Choose --features random or inception."
        )
    return np.ascontiguousarray(images, np.float32)
