"""The reference that every artifact is measured against: the checkpoint's generator in PyTorch."""

from __future__ import annotations

from pathlib import Path

import torch

from dcgan_edge.artifact import BatchProfile, Manifest, generator_tensors
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.device import cpu_name
from dcgan_edge.runtime.session import Session, SessionFacts, in_chunks
from dcgan_edge.training.checkpoint import load_generator, read_checkpoint

LARGEST_BATCH = 256  # PyTorch has no limit; more images than this are run in pieces to bound the memory


class TorchSession(Session):
    """The EMA generator of a checkpoint in eval mode, float32 on the CPU, behind the `Session` contract."""

    def __init__(self, checkpoint: Path, *, threads: int | None = None) -> None:
        """Raises UsageError and ArtifactError as `load_generator` does. `threads` None: torch's default."""
        if threads is not None:
            torch.set_num_threads(threads)
        content = read_checkpoint(checkpoint)
        self.generator, spec = load_generator(checkpoint, content)
        architecture = spec.architecture
        source, result = generator_tensors(architecture)
        self.manifest = Manifest(
            kind="checkpoint",
            architecture=architecture,
            precision="fp32",
            inputs=(source,),
            outputs=(result,),
            batch=BatchProfile(1, 16, LARGEST_BATCH),
            parent_sha256="",
            builder="dcgan-edge import" if spec.origin else "dcgan-edge train",
            origin=spec.origin,
        ).sealed(content)

    @property
    def facts(self) -> SessionFacts:
        """Return how PyTorch computes: on the CPU, in float32."""
        return SessionFacts(
            backend="torch",
            version=torch.__version__,
            device="cpu",
            device_name=cpu_name(),
            threads=torch.get_num_threads(),
        )

    def run(self, latents: FloatArray) -> FloatArray:
        """Return images of latents, as `Session.run` does, computed by PyTorch."""
        return in_chunks(self._run, latents, self.manifest)

    def close(self) -> None:
        """Nothing is held that outlives the object."""

    def _run(self, latents: FloatArray) -> FloatArray:
        with torch.inference_mode():
            images: FloatArray = self.generator(torch.from_numpy(latents)).numpy()
        return images
