"""Inception-v3 features, as FID is quoted for photographs: torch-fidelity's network, the user's weights file.

torch-fidelity would download the weights where none are given, and unpickle them where they are. Here the
file is read as tensors only, and handed over as a clean copy.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from dcgan_edge.artifact import read_file, sha256
from dcgan_edge.errors import ArtifactError, UnavailableError, UsageError
from dcgan_edge.evaluation.extractor import FeatureExtractor, in_batches
from dcgan_edge.images import to_uint8
from dcgan_edge.latents import FloatArray

LAYER, DIM = "2048", 2048  # the last pooling, which FID and KID are defined on
KNOWN_HASH = "6726825d"  # start of the SHA-256 of weights-inception-2015-12-05, converted from TensorFlow's
WHERE = (
    "Give --weights PATH, the file weights-inception-2015-12-05-6726825d.pth of the torch-fidelity releases."
)


class InceptionFeatures(FeatureExtractor):
    """The 2048 values of Inception-v3's last pooling; images are scaled to 299 pixels as TensorFlow did."""

    dim = DIM

    def __init__(self, weights: Path | None) -> None:
        """Raises UsageError without `weights` or such a file, ArtifactError when it holds anything but the
        network's tensors, UnavailableError when torch-fidelity is not installed.
        """
        if weights is None:
            raise UsageError(f"Inception's weights are not part of this program. {WHERE}")
        data = read_file(weights)
        self._network, version = _network(data, weights.name)
        self.facts: dict[str, Any] = {
            "name": "inception-v3",
            "backend": "torch-fidelity",
            "version": version,
            "sha256": sha256(data),
            "standard_weights": sha256(data).startswith(KNOWN_HASH),
        }

    def features(self, images: FloatArray) -> FloatArray:
        """Turn (n, 1 or 3, h, w) in [-1, 1] into (n, 2048). Grey is repeated three times."""
        import torch

        def run(batch: FloatArray) -> FloatArray:
            colours = np.repeat(batch, 3 // batch.shape[1], axis=1)
            with torch.inference_mode():
                (found,) = self._network(torch.from_numpy(to_uint8(colours)))
            features: FloatArray = found.numpy()
            return features

        return in_batches(run, images, DIM)


def _network(data: bytes, name: str) -> tuple[Any, str]:
    """The network with the weights `data`, and the version of torch-fidelity."""
    import torch

    try:
        import torch_fidelity
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision of another torch
        raise UnavailableError(
            f"Inception features come from torch-fidelity, which cannot be loaded here ({error}): "
            "pip install 'dcgan-edge[eval]'"
        ) from error
    try:
        tensors = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        copy = io.BytesIO()
        torch.save(tensors, copy)
        copy.seek(0)
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", [LAYER], feature_extractor_weights_path=copy
        )
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ArtifactError(
            f"{name} does not hold the weights of Inception-v3 ({reason}). {WHERE}"
        ) from error
    return network.eval(), str(torch_fidelity.__version__)
