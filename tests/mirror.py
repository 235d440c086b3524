"""A generator whose images are its latents, and small real networks: worlds whose answers are known."""

from __future__ import annotations

import numpy as np
import torch

from dcgan_edge.artifact import Architecture, BatchProfile, Manifest, generator_tensors
from dcgan_edge.latent.inversion import Networks
from dcgan_edge.latents import Distribution, FloatArray
from dcgan_edge.models import build_discriminator
from dcgan_edge.runtime.session import Session, SessionFacts
from tests.conftest import lively_generator
from tests.prepared import TINY

SIDE = 4


class MirrorSession(Session):
    """Images (n, 1, 4, 4) are the sixteen components of the latent, a quarter as large, and clipped."""

    def __init__(self, distribution: Distribution = "normal") -> None:
        architecture = Architecture("dcgan", SIDE, 1, 1, latent_dim=SIDE**2, distribution=distribution)
        source, result = generator_tensors(architecture)
        self.manifest = Manifest(
            "onnx", architecture, "fp32", (source,), (result,), BatchProfile(), "", "test", sha256="0" * 64
        )

    @property
    def facts(self) -> SessionFacts:
        return SessionFacts("mirror", "1", "cpu", "a processor")

    def run(self, latents: FloatArray) -> FloatArray:
        images: FloatArray = np.clip(latents / np.float32(4), -1.0, 1.0).reshape(-1, 1, SIDE, SIDE)
        return images

    def close(self) -> None:
        """Nothing is held."""


def tiny_networks(distribution: Distribution = "normal") -> Networks:
    """A generator with full contrast and a discriminator with opinions, of four feature maps."""
    architecture = Architecture(TINY.preset, TINY.size, 1, TINY.width, TINY.latent_dim, distribution)
    torch.manual_seed(1)
    discriminator = build_discriminator(architecture).requires_grad_(False).eval()
    for parameter in discriminator.parameters():
        parameter.mul_(10 if parameter.ndim == 4 else 1)  # logits that differ between images
    generator = lively_generator(architecture).requires_grad_(False)
    return Networks(generator, discriminator, architecture, torch.device("cpu"))


def images_of(networks: Networks, latents: FloatArray) -> FloatArray:
    with torch.no_grad():
        images: FloatArray = networks.generator(torch.from_numpy(latents)).numpy()
    return images
