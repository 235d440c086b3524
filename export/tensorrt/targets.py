"""Which builder makes an engine for which GPUs: the first decision of a build.

An engine is compiled for GPU generations, named by their compute capability: sm86 is 8.6. TensorRT builds for
the GPU it runs on; TensorRT-RTX builds without any GPU, for several generations in one file, but not for the
GPUs of Jetson.
"""

from __future__ import annotations

from collections.abc import Sequence

from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.machine import available_memory
from dcgan_edge.runtime.cuda import CudaDevice
from dcgan_edge.runtime.device import has_nvidia_gpu, jetson
from dcgan_edge.runtime.tensorrt.library import Flavour, is_installed, load_tensorrt

from .config import Settings

AHEAD_OF_TIME = ("sm75", "sm80", "sm86", "sm89", "sm120", "sm121")  # what TensorRT-RTX 1.x compiles for
DEFAULT_TARGETS = ("sm86", "sm89", "sm120")  # GeForce RTX 30, 40 and 50
AMPERE_PLUS = ("sm80", "sm86", "sm89", "sm90", "sm100", "sm103", "sm120", "sm121")  # hardware compatibility
WORKSPACE = 256 * 2**20  # plenty for a generator; the same everywhere, so that the bytes are
SMALLEST_WORKSPACE = 16 * 2**20


def parse_targets(names: Sequence[str]) -> tuple[str, ...]:
    """`names` without repetition, oldest generation first, so that the same set makes the same file.

    Raises UsageError for a name that no engine can be built for ahead of time.
    """
    unknown = sorted(set(names) - set(AHEAD_OF_TIME))
    if unknown:
        raise UsageError(
            f"Engines cannot be built ahead of time for {', '.join(unknown)}, only for "
            f"{', '.join(AHEAD_OF_TIME)}. For any other GPU, a Jetson included, run dcgan-edge build without "
            "--target on the device itself."
        )
    return tuple(name for name in AHEAD_OF_TIME if name in names)


def choose_builder(names: Sequence[str]) -> tuple[Flavour, tuple[str, ...]]:
    """The library to build with, and the targets; none means the GPU of this machine.

    Raises UsageError for unknown targets and UnavailableError when no builder is here.
    """
    targets = parse_targets(names)
    if not targets and has_nvidia_gpu() and is_installed("tensorrt"):
        load_tensorrt("tensorrt")
        return "tensorrt", ()
    if not targets and not is_installed("rtx"):
        raise UnavailableError(_nothing_here())
    load_tensorrt("rtx")
    return "rtx", targets or DEFAULT_TARGETS


def targets_of(device: CudaDevice | None, settings: Settings) -> tuple[str, ...]:
    """The GPU generations that run an engine built on `device`."""
    if device is None:
        return ()
    if settings.hardware_compat == "ampere-plus":
        return tuple(sorted({*AMPERE_PLUS, device.sm}, key=lambda name: int(name.removeprefix("sm"))))
    return (device.sm,)


def default_workspace() -> int:
    """Bytes for the layers to work in; a quarter of what is free on a Jetson, whose GPU and CPU share memory.

    There it is rounded down to a power of two, so that a second build finds the first in the cache.
    """
    if not jetson():
        return WORKSPACE
    share = min(WORKSPACE, max(SMALLEST_WORKSPACE, available_memory() // 4))
    return int(1 << (share.bit_length() - 1))


def _nothing_here() -> str:
    if jetson():
        return (
            "TensorRT is not installed. On a Jetson: sudo apt install python3-libnvinfer, then use a virtual "
            "environment made with --system-site-packages."
        )
    if has_nvidia_gpu():
        return "TensorRT is not installed: pip install 'dcgan-edge[gpu]'"
    return (
        "This machine has no NVIDIA GPU, and TensorRT-RTX, which builds engines without one, is not "
        "installed: pip install 'dcgan-edge[rtx]'"
    )
