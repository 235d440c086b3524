"""What this machine has, what it lacks, and what can be done on it."""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .device import has_nvidia_gpu, jetson, machine_facts

QUERY = "name,compute_cap,driver_version,memory.total"
QUERY_TIMEOUT_S = 10


@dataclass(frozen=True)
class Library:
    """A library that the program can use: why, and what brings it. `found` is its version, "" if missing."""

    name: str
    reason: str
    remedy: str
    found: str


@dataclass(frozen=True)
class Ability:
    """Something a user may want to do here. `lacking` says what is missing; empty when it can be done."""

    task: str
    lacking: str
    remedy: str


@dataclass(frozen=True)
class Diagnosis:
    """The whole picture. `gpus` are the lines of nvidia-smi, or the Jetson's model."""

    machine: dict[str, str]
    gpus: tuple[str, ...]
    libraries: tuple[Library, ...]
    abilities: tuple[Ability, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the whole picture as JSON values."""
        return asdict(self)


WANTED = (  # import name, distributions that bring it, reason, extra
    ("torch", ("torch",), "trains, and is the reference that artifacts are compared with", "train"),
    ("safetensors", ("safetensors",), "reads and writes checkpoints", "train"),
    ("onnx", ("onnx",), "writes and checks ONNX files", "export"),
    ("onnxscript", ("onnxscript",), "is what torch.onnx exports with", "export"),
    ("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "runs ONNX files", "cpu"),
    ("openvino", ("openvino",), "runs ONNX files on the CPU", "openvino"),
    ("tensorrt", ("tensorrt",), "builds and runs engines on this GPU", "gpu"),
    ("tensorrt_rtx", ("tensorrt-rtx",), "builds engines for RTX GPUs, also without a GPU", "rtx"),
    ("cuda.bindings", ("cuda-bindings",), "moves latents and images to the GPU and back", "gpu"),
    ("pynvml", ("nvidia-ml-py",), "reads power, clocks and temperature of the GPU", "gpu"),
    ("jinja2", ("jinja2",), "writes the HTML report", "report"),
    ("matplotlib", ("matplotlib",), "draws the report's charts", "report"),
    ("pooch", ("pooch",), "downloads public data sets", "data"),
    ("scipy", ("scipy",), "reads SVHN, and solves for inpainting", "data"),
    ("skimage", ("scikit-image",), "measures restorations", "restore"),
    ("sklearn", ("scikit-learn",), "classifies by a discriminator's features", "features"),
    ("imageio_ffmpeg", ("imageio-ffmpeg",), "writes MP4 films", "video"),
)


def diagnose() -> Diagnosis:
    """Look at the machine; nothing is loaded, run on the GPU or changed."""
    libraries = tuple(
        Library(name, reason, _remedy(name, extra), _installed(name, distributions))
        for name, distributions, reason, extra in WANTED
    )
    return Diagnosis(machine_facts(), _gpus(), libraries, _abilities(libraries))


def _abilities(libraries: tuple[Library, ...]) -> tuple[Ability, ...]:
    missing = {library.name: library for library in libraries if not library.found}

    def needs(task: str, *names: str, gpu: bool = False) -> Ability:
        lacks = [name for name in names if name in missing]
        remedies = list(dict.fromkeys(missing[name].remedy for name in lacks))
        if _remedy("", "export") in remedies:  # which brings what training needs
            remedies = [remedy for remedy in remedies if remedy != _remedy("", "train")]
        if gpu and not has_nvidia_gpu():
            lacks.append("an NVIDIA GPU with its driver")
        return Ability(task, ", ".join(lacks), " && ".join(remedies))

    return (
        needs("train a generator", "torch", "safetensors"),
        needs("export to ONNX and verify", "torch", "safetensors", "onnx", "onnxscript", "onnxruntime"),
        needs("sample and benchmark ONNX files on the CPU", "onnxruntime"),
        needs("build engines ahead of time for RTX GPUs", "tensorrt_rtx"),
        needs("build and run engines on this GPU", "tensorrt", "cuda.bindings", gpu=True),
        needs("write HTML reports", "jinja2", "matplotlib"),
    )


def _remedy(name: str, extra: str) -> str:
    """Return the one command that brings a library here, or why none does.

    On a Jetson TensorRT comes with JetPack, not from pip, and the CUDA bindings are those of its CUDA.
    """
    if name == "tensorrt" and jetson():
        return (
            "sudo apt-get install python3-libnvinfer, and a venv made with --system-site-packages by "
            f"/usr/bin/python3 (this is {sys.executable}, Python {platform.python_version()})"
        )
    if name == "tensorrt_rtx" and platform.machine() not in ("x86_64", "AMD64"):
        return "NVIDIA has no build for this processor; build engines on the board itself"
    if extra == "gpu" and jetson():
        extra = "jetson"
    return f"pip install 'dcgan-edge[{extra}]'"


def _installed(name: str, distributions: tuple[str, ...]) -> str:
    """Version of the library, "unknown" if it can be imported but has no metadata, "" if it is not here."""
    try:
        if importlib.util.find_spec(name) is None:
            return ""
    except ModuleNotFoundError:  # the parent package of a dotted name
        return ""
    for distribution in distributions:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "unknown"


def _gpus() -> tuple[str, ...]:
    board = jetson()
    if board:
        return (f"{board['model']}, {board['l4t']}",)
    if not has_nvidia_gpu():
        return ()
    command = ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=QUERY_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return (f"present, but nvidia-smi does not answer ({error})",)
    return tuple(answer.stdout.strip().splitlines())
