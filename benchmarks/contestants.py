"""Who takes part in `make bench`, and in which class of precision."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmarks.generators import Subject
from benchmarks.peers import BareOnnxRuntime, OpenVino, TorchMode, TorchPeer, open_nncf
from dcgan_edge.runtime.bench.worker import Opener
from dcgan_edge.runtime.session import open_session

if TYPE_CHECKING:
    from torch import nn

Class = Literal["float", "bf16", "int8"]
REFERENCE, CHANNELS_LAST = "torch eager", "torch channels_last"


@dataclass(frozen=True)
class Contestant:
    """A runtime with a file of the generator. `is_ours` says that `open_session` opens it, by "auto".

    `file` is the artifact of a peer's generator, which says what it costs, or ours.
    """

    name: str
    kind: Class
    file: Path
    opener: Opener
    is_ours: bool = False


def contestants(subject: Subject) -> list[Contestant]:
    """Return everybody who takes part with the generator `subject`; the first is the reference.

    Peers get the file that is written for no runtime in particular, which is the traced graph with BatchNorm
    folded; ours get those that `export --for` writes.
    """
    plain = subject.file("any", "fp32")
    load = functools.partial(_network, subject.checkpoint)
    peers: list[tuple[str, Class, Opener]] = [
        (REFERENCE, "float", _torch(plain, load, "eager")),
        (CHANNELS_LAST, "float", _torch(plain, load, "channels_last")),
        ("torch.compile", "float", _torch(plain, load, "compile")),
        ("bare onnxruntime", "float", functools.partial(BareOnnxRuntime, plain)),
        ("openvino f32", "float", functools.partial(OpenVino, plain)),
        ("openvino bf16", "bf16", functools.partial(OpenVino, plain, "bf16")),
        ("openvino INT8, NNCF", "int8", functools.partial(open_nncf, plain, subject.folder / "nncf.xml")),
    ]
    ours: list[tuple[str, Class, Path]] = [
        ("dcgan-edge fp32, --for onnxruntime-cpu", "float", subject.file("onnxruntime-cpu", "fp32")),
        ("dcgan-edge fp32, --for openvino", "float", subject.file("openvino", "fp32")),
        ("dcgan-edge int8, --for openvino", "int8", subject.file("openvino", "int8")),
    ]
    return [
        *(Contestant(name, kind, plain, opener) for name, kind, opener in peers),
        *(
            Contestant(name, kind, path, functools.partial(open_session, path), is_ours=True)
            for name, kind, path in ours
        ),
    ]


def _torch(path: Path, load: Callable[[], nn.Module], mode: TorchMode) -> Opener:
    return functools.partial(TorchPeer, path, load, mode)


def _network(checkpoint: Path) -> nn.Module:
    from dcgan_edge.training.checkpoint import load_generator

    return load_generator(checkpoint)[0]
