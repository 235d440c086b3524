"""The ways in which artifacts can be run on this device: backends and numbers of threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dcgan_edge.artifact import Manifest, read_artifact
from dcgan_edge.benchmarking import Contestant
from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.extras import is_installed
from dcgan_edge.machine import cpu_count
from dcgan_edge.profile import NAME
from dcgan_edge.runtime.device import Backend, parse_device, why_no_gpu
from dcgan_edge.runtime.session import EngineOptions
from dcgan_edge.words import count_words

CPU_BACKENDS: tuple[Backend, ...] = ("onnxruntime", "openvino")  # the documented order
GPU_BACKENDS: tuple[Backend, ...] = ("onnxruntime", "onnxruntime-tensorrt")


@dataclass(frozen=True)
class Subject:
    """An artifact that takes part: its path and its manifest."""

    path: Path
    manifest: Manifest


@dataclass(frozen=True)
class Candidate:
    """One way to run an artifact, by the name of its `file`. `threads` None is the backend's default."""

    file: str
    sha256: str
    backend: Backend
    device: str
    threads: int | None = None

    def __str__(self) -> str:
        threads = "" if self.threads is None else f", {count_words(self.threads, 'thread')}"
        device = "" if self.device == "cpu" or self.file.endswith(".engine") else f" on {self.device}"
        return f"{self.file}, {self.backend}{device}{threads}"

    def on(self, threads: int | None) -> Candidate:
        """Return the same with so many threads."""
        return replace(self, threads=threads)

    def contestant(self, folder: Path, streams: int) -> Contestant:
        """Return what `bench` opens in a process of its own; the artifact lies in `folder`."""
        engine = EngineOptions(streams=streams)
        return Contestant(folder / self.file, self.device, self.backend, self.threads, engine)


def read_subjects(paths: Sequence[Path]) -> list[Subject]:
    """Return the artifacts at `paths`, of one generator and in one folder.

    Raises UsageError unless that is so, and what `read_artifact` raises.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("An artifact is named twice.")
    if len({path.parent.resolve() for path in paths}) > 1:
        raise UsageError(f"Tune artifacts of one folder: the profile {NAME} lies beside them.")
    subjects = [Subject(path, read_artifact(path)[0]) for path in paths]
    first = subjects[0]
    for each in subjects[1:]:
        if each.manifest.architecture != first.manifest.architecture:
            raise UsageError(
                f"{each.path.name} and {first.path.name} are generators of different shapes; tune each alone."
            )
    return subjects


def candidates_of(
    subject: Subject, backends: Sequence[Backend], device: str, threads: int | None = None
) -> list[Candidate]:
    """Return the ways to run `subject` here, the documented default first: `backends` (empty: all that are
    installed) on `device`, with `threads` of the CPU.

    Raises UnavailableError where nothing here runs it.
    """
    file, digest = subject.path.name, subject.manifest.sha256
    chosen = parse_device(device)
    if subject.manifest.kind == "engine":
        fitting = chosen.kind != "cpu" and (not backends or "tensorrt" in backends)
        gpu = str(chosen) if chosen.kind == "cuda" else "cuda:0"
        found = [Candidate(file, digest, "tensorrt", gpu)] if fitting else []
    else:
        found = [
            Candidate(file, digest, backend, where, threads if where == "cpu" else None)
            for backend, where in _places(chosen.kind, str(chosen), backends)
        ]
        found.sort(key=lambda each: each.backend != subject.manifest.notes.get("for"))
    if not found:
        raise UnavailableError(
            f"Nothing that is asked for runs {file} here. Install a backend (pip install 'dcgan-edge[cpu]' "
            "or 'dcgan-edge[openvino]'), or choose another --backend or --device."
        )
    return found


def _places(kind: str, device: str, backends: Sequence[Backend]) -> list[tuple[Backend, str]]:
    """Return the (backend, device) pairs on which an ONNX file can run."""
    places: list[tuple[Backend, str]] = []
    if kind == "cuda" or (kind == "auto" and not why_no_gpu()):
        providers = _providers()
        gpu = device if kind == "cuda" else "cuda:0"
        known = {"onnxruntime": "CUDAExecutionProvider", "onnxruntime-tensorrt": "TensorrtExecutionProvider"}
        places += [(each, gpu) for each in GPU_BACKENDS if known[each] in providers]
    if kind != "cuda":
        places += [(each, "cpu") for each in CPU_BACKENDS if is_installed(each)]
    return [place for place in places if not backends or place[0] in backends]


def _providers() -> list[str]:
    if not is_installed("onnxruntime"):
        return []
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def thread_counts(chosen: Sequence[int]) -> tuple[int | None, ...]:
    """Return the numbers of CPU threads to try: `chosen`, or the default and the powers of two below the
    number of processors.
    """
    if chosen:
        return tuple(dict.fromkeys(chosen))
    powers = [2**power for power in range(12) if 2**power < cpu_count()]
    return (None, *powers)
