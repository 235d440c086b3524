"""The memory of one stream: latents in, images out, allocated once for the largest batch that the engine
takes.

Two ways, to be chosen and measured. Copied: page-locked memory on the host and a twin on the GPU. Zero-copy:
page-locked memory that the GPU reads and writes in place, for GPUs that share their memory with the CPU.
Source: CUDA for Tegra, "Memory Selection"; TensorRT-RTX documentation, "Zero-Copy I/O for Unified Memory".
"""

from __future__ import annotations

from contextlib import ExitStack, closing

import numpy as np

from dcgan_edge.artifact import Manifest
from dcgan_edge.images import ImageArray
from dcgan_edge.latents import FloatArray

from ..cuda import Cuda
from ..cuda_resources import CudaStream, DeviceMemory, HostArray


class Buffers:
    """`latents` and `images` of up to `max_batch` images on the host, as the engine's manifest describes its
    input and its output; `latents_address` and `images_address` are where the GPU has them.
    """

    def __init__(self, cuda: Cuda, manifest: Manifest, max_batch: int, *, zero_copy: bool) -> None:
        tensors = manifest.inputs[0], manifest.outputs[0]
        self._blank = 0
        self._twins: tuple[DeviceMemory, DeviceMemory] | None = None
        with ExitStack() as stack:
            self._latents, self._images = (
                stack.enter_context(
                    closing(
                        HostArray(cuda, (max_batch, *map(int, each.shape[1:])), each.dtype, mapped=zero_copy)
                    )
                )
                for each in tensors
            )
            self._latent_bytes = self._latents.nbytes // max_batch
            self._image_bytes = self._images.nbytes // max_batch
            if not zero_copy:
                latents = stack.enter_context(closing(DeviceMemory(cuda, max_batch * self._latent_bytes)))
                images = stack.enter_context(closing(DeviceMemory(cuda, max_batch * self._image_bytes)))
                self._twins = latents, images
            self._stack = stack.pop_all()

    @property
    def latents(self) -> FloatArray:
        """Return the host's array of latents, float32 (max_batch, latent_dim, 1, 1)."""
        latents: FloatArray = self._latents.array
        return latents

    @property
    def images(self) -> ImageArray:
        """Return the host's array of images (max_batch, ...), floats or bytes."""
        images: ImageArray = self._images.array
        return images

    @property
    def latents_address(self) -> int:
        """Return the address at which the GPU reads latents."""
        return self._twins[0].address if self._twins else self._latents.device_address

    @property
    def images_address(self) -> int:
        """Return the address at which the GPU writes images."""
        return self._twins[1].address if self._twins else self._images.device_address

    @property
    def host_bytes(self) -> int:
        """Return the bytes of host memory that are held."""
        return self._latents.nbytes + self._images.nbytes

    @property
    def device_bytes(self) -> int:
        """Return the bytes of GPU memory that are held, 0 with zero-copy."""
        return sum(twin.nbytes for twin in self._twins or ())

    def upload(self, stream: CudaStream, batch: int) -> None:
        """Queue the copy of `batch` latents to the GPU; nothing to do with zero-copy memory."""
        if self._twins:
            stream.copy_to_device(self._twins[0], self._latents, batch * self._latent_bytes)

    def download(self, stream: CudaStream, batch: int) -> None:
        """Queue the copy of `batch` images to the host; nothing to do with zero-copy memory."""
        if self._twins:
            stream.copy_to_host(self._images, self._twins[1], batch * self._image_bytes)

    def blank_images(self, stream: CudaStream, batch: int) -> None:
        """Overwrite `batch` images, on both sides, and wait: what is not computed then shows.

        Floats become NaN; bytes all 0 and, the next time, all 255, so that two runs of nothing differ.
        """
        self._blank ^= 255
        self.images[:batch] = np.nan if self.images.dtype == np.float32 else self._blank
        if self._twins:
            stream.copy_to_device(self._twins[1], self._images, batch * self._image_bytes)
            stream.synchronize()

    def close(self) -> None:
        """Give back all memory. Closing twice is harmless."""
        self._stack.close()
