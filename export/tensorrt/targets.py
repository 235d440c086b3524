"""Which builder makes an engine for which GPUs: the first decision of a build.

An engine is compiled for GPU generations, named by their compute capability: sm86 is 8.6. TensorRT builds for
the GPU it runs on; TensorRT-RTX builds without any GPU, for several generations in one file, but not for the
GPUs of Jetson.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.machine import available_memory
from dcgan_edge.runtime.cuda import CudaDevice
from dcgan_edge.runtime.device import has_nvidia_gpu, jetson, parse_device
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


@dataclass(frozen=True)
class BuilderChoice:
    """The library to build with, and what for: `gpu`, number `index` of this machine, or else `targets`.

    TensorRT-RTX builds ahead of time in any case: for `gpu` it has the `targets` that this GPU is.
    """

    flavour: Flavour
    targets: tuple[str, ...] = ()
    gpu: CudaDevice | None = None
    index: int = 0


def choose_builder(
    names: Sequence[str], device: str = "auto", *, describe_gpu: Callable[[int], CudaDevice]
) -> BuilderChoice:
    """Choose the library and the GPUs to build for: the targets `names`, else the GPU `device`.

    `device` "auto" is the first GPU of this machine, or where there is none, the default targets; "cuda" and
    "cuda:1" are that GPU and no other. `describe_gpu` looks at GPU number `index`.

    Raises UsageError for unknown targets, and for a device that is no GPU or named beside targets;
    UnavailableError when no builder is here, or no such GPU, or none that the builder compiles for.
    """
    targets = parse_targets(names)
    asked = parse_device(device)
    if asked.kind == "cpu":
        raise UsageError("Engines are for NVIDIA GPUs; on a CPU the ONNX file runs as it is.")
    if targets and asked.kind == "cuda":
        raise UsageError("Name the GPUs to build for by --target, or one of this machine by --device.")
    if not targets and has_nvidia_gpu():
        return _for_this_machine(asked.index, describe_gpu)
    if asked.kind == "cuda":
        raise UnavailableError(f"There is no NVIDIA GPU here to build for ({asked}); name one by --target.")
    if not targets and not is_installed("rtx"):
        raise UnavailableError(_nothing_here())
    load_tensorrt("rtx")
    return BuilderChoice("rtx", targets or DEFAULT_TARGETS)


def _for_this_machine(index: int, describe_gpu: Callable[[int], CudaDevice]) -> BuilderChoice:
    """Choose for GPU `index`: TensorRT where it is installed, else TensorRT-RTX if it knows that GPU."""
    if is_installed("tensorrt"):
        load_tensorrt("tensorrt")
        return BuilderChoice("tensorrt", (), describe_gpu(index), index)
    if not is_installed("rtx"):
        raise UnavailableError(_nothing_here())
    load_tensorrt("rtx")
    gpu = describe_gpu(index)
    if gpu.sm not in AHEAD_OF_TIME:
        raise UnavailableError(
            f"TensorRT-RTX does not compile for {gpu.name} ({gpu.sm}); TensorRT does: "
            "pip install 'dcgan-edge[gpu]'. For other GPUs, name them by --target."
        )
    return BuilderChoice("rtx", (gpu.sm,), gpu, index)


def targets_of(device: CudaDevice, settings: Settings) -> tuple[str, ...]:
    """Return the GPU generations that run an engine which TensorRT built on `device`."""
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
