"""Facts about this machine, read without any vendor library."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from dcgan_edge.errors import UsageError
from dcgan_edge.machine import cpu_count

Backend = Literal["auto", "onnxruntime", "onnxruntime-tensorrt", "openvino", "tensorrt"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
ROOT = Path("/")
MOST_THREADS = 4096
SAME_MACHINE = ("cpu", "cpus", "architecture", "jetson_model")  # without which figures mean nothing
# In /dev: a desktop's, of which a container may have nvidia1 alone; Tegra's; WSL's.
GPU_NODES = ("nvidia[0-9]*", "nvhost-gpu", "nvhost-as-gpu", "dxg")
LIBRARIES = (
    "dcgan-edge", "numpy", "pillow", "torch", "onnx", "onnxscript", "onnxruntime", "onnxruntime-gpu",
    "openvino", "tensorrt", "tensorrt-rtx", "cuda-bindings",
)  # fmt: skip


@dataclass(frozen=True)
class ComputeDevice:
    """What computes: `kind` "auto", "cpu" or "cuda"; `index` chooses among GPUs as CUDA numbers them."""

    kind: Literal["auto", "cpu", "cuda"] = "auto"
    index: int = 0

    def __str__(self) -> str:
        return f"cuda:{self.index}" if self.kind == "cuda" else self.kind


def parse_device(text: str) -> ComputeDevice:
    """Read "auto", "cpu", "cuda" or "cuda:1". Raises UsageError for anything else."""
    match = re.fullmatch(r"(auto|cpu|cuda)(?::([0-9]{1,4}))?", text.strip())
    if match is None or (match[2] and match[1] != "cuda"):
        raise UsageError(f"{text!r} is not a device; write auto, cpu, cuda or cuda:1.")
    return ComputeDevice(cast(Literal["auto", "cpu", "cuda"], match[1]), int(match[2] or 0))


def check_threads(threads: int | None) -> None:
    """Raise UsageError unless `threads` of the CPU can be had; None leaves the number to the library."""
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise UsageError(f"A session computes with 1 to {MOST_THREADS} threads, not {threads}.")


def has_nvidia_gpu(root: Path = ROOT) -> bool:
    """Return whether the NVIDIA driver has made a device node for a GPU, of whatever number."""
    return any(path for node in GPU_NODES for path in (root / "dev").glob(node))


def why_no_gpu(root: Path = ROOT) -> str:
    """Return why CUDA has no GPU to compute on here, as the end of a sentence, or "" if nothing speaks
    against it.
    """
    if not has_nvidia_gpu(root):
        return "there is no NVIDIA GPU with its driver"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1", "NoDevFiles"):
        return "CUDA_VISIBLE_DEVICES hides every GPU"
    return ""


def installed_versions(names: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """The installed ones of `names`, as distributions, with their versions."""
    from importlib.metadata import PackageNotFoundError, version  # which takes as long to load as click

    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cpu_name(root: Path = ROOT) -> str:
    """The processor's own name, else its architecture."""
    for line in _read(root / "proc/cpuinfo").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def gpu_name(index: int = 0, root: Path = ROOT) -> str:
    """Return the name of GPU `index` by the driver's own files, "NVIDIA GPU" where they do not say."""
    entries = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
    for line in _read(entries[index]).splitlines() if index < len(entries) else ():
        if line.startswith("Model:"):
            return line.partition(":")[2].strip()
    return jetson(root).get("model", "NVIDIA GPU")


def jetson(root: Path = ROOT) -> dict[str, str]:
    """Model and L4T release of a Jetson; empty on any other machine."""
    facts = {}
    model = _read(root / "proc/device-tree/model")
    release = _read(root / "etc/nv_tegra_release")
    if release or "Jetson" in model:
        facts = {"model": model, "l4t": release.splitlines()[0] if release else "unknown"}
    return facts


def machine_facts(root: Path = ROOT) -> dict[str, str]:
    """What a benchmark record or a manifest says about the machine it was made on, whose files are below
    `root`.
    """
    return {
        "cpu": cpu_name(root),
        "cpus": str(cpu_count()),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{f"jetson_{key}": value for key, value in jetson(root).items()},
    }


def _read(path: Path) -> str:
    """Content of a small system file without its NULs, empty if it is not there."""
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""
