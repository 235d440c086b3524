"""The one door to NVIDIA's libraries: `tensorrt` (10.3 and later) and `tensorrt_rtx`, with one logger each.

The builder and the session both come through here. In both, `trt` is the library's module, every object that
comes from it is annotated with its TensorRT class, and a name that only some versions have is reached through
`optional`: so that a test can look up every name in the tables of every supported version.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from dcgan_edge.errors import UnavailableError

from ..device import jetson

if TYPE_CHECKING:
    from tensorrt import ILogger

Flavour = Literal["tensorrt", "rtx"]
MODULES: dict[Flavour, str] = {"tensorrt": "tensorrt", "rtx": "tensorrt_rtx"}
OLDEST: dict[Flavour, tuple[int, int]] = {"tensorrt": (10, 3), "rtx": (1, 4)}
KEPT_LINES = 100  # of one block; the last ones, which name the reason

_log = logging.getLogger("dcgan_edge.tensorrt")
_loggers: dict[ModuleType, Any] = {}  # TensorRT keeps the first logger it is given for good
_listeners: list[deque[str]] = []


def load_tensorrt(flavour: Flavour = "tensorrt") -> ModuleType:
    """Import NVIDIA TensorRT or TensorRT-RTX.

    Raises UnavailableError when it is not installed, does not load, or is older than what is supported; the
    message says what to install.
    """
    name = MODULES[flavour]
    try:
        trt = importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        reason = "is not installed" if missing else f"is installed but does not load: {error}"
        raise UnavailableError(f"{name} {reason}. {_remedy(flavour)}") from error
    if version_of(trt) < OLDEST[flavour]:
        wanted = ".".join(map(str, OLDEST[flavour]))
        raise UnavailableError(
            f"{name} {trt.__version__} is older than {wanted}, the oldest supported. {_upgrade(flavour)}"
        )
    return trt


def is_installed(flavour: Flavour) -> bool:
    """Whether the library can be found. It is not imported: it may still be broken, or too old."""
    name = MODULES[flavour]
    return name in sys.modules or importlib.util.find_spec(name) is not None


def version_of(trt: ModuleType) -> tuple[int, ...]:
    """The library's version as numbers: (10, 3, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", str(trt.__version__))[:3])


def version_tag(trt: ModuleType) -> str:
    """The builder's name in file names and manifests: "trt10.3.0", "rtx1.7.1"."""
    prefix = "rtx" if trt.__name__ == MODULES["rtx"] else "trt"
    return prefix + ".".join(map(str, version_of(trt)))


def process_logger(trt: ModuleType) -> ILogger:
    """The logger to hand to every Builder, OnnxParser, Runtime and Refitter of `trt`.

    TensorRT keeps one logger per process and ignores a second one, so everybody shares this.
    """
    if trt not in _loggers:
        _loggers[trt] = _make_logger(trt)
    return _loggers[trt]


@contextmanager
def captured(limit: int = KEPT_LINES) -> Iterator[deque[str]]:
    """The warnings and errors that TensorRT logs inside the block, oldest first, the last `limit` of them."""
    lines: deque[str] = deque(maxlen=limit)
    _listeners.append(lines)
    try:
        yield lines
    finally:
        _listeners[:] = [listener for listener in _listeners if listener is not lines]


def optional(owner: Any, name: str, *, versions: tuple[str, ...]) -> Any:
    """`owner.name` where this version of the library has it, else None.

    `versions` says which supported versions do ("10.3", "10.13", "10.16", "11.4", "rtx"). It changes nothing
    here: the contract test compares it with the tables, so that it stays true.
    """
    del versions
    return getattr(owner, name, None)


def set_optional(owner: Any, name: str, value: Any, *, versions: tuple[str, ...]) -> None:
    """`owner.name = value`, for a property that only `versions` have. Raises UnavailableError elsewhere."""
    if optional(owner, name, versions=versions) is None:
        raise UnavailableError(f"This version of TensorRT has no {type(owner).__name__}.{name}.")
    setattr(owner, name, value)


def _make_logger(trt: ModuleType) -> ILogger:
    levels = {
        trt.ILogger.INTERNAL_ERROR: logging.ERROR,
        trt.ILogger.ERROR: logging.ERROR,
        trt.ILogger.WARNING: logging.WARNING,
        trt.ILogger.INFO: logging.INFO,
        trt.ILogger.VERBOSE: logging.DEBUG,
    }

    class Collector(trt.ILogger):  # type: ignore[misc, name-defined]  # its base is known at run time only
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            level = levels[severity]
            _log.log(min(level, logging.INFO), "%s", message)  # what matters is raised by whoever called
            if level >= logging.WARNING:
                for lines in tuple(_listeners):
                    lines.append(message)

    return Collector()


def _remedy(flavour: Flavour) -> str:
    if flavour == "rtx":
        return "pip install 'dcgan-edge[rtx]'"
    if jetson():
        return (
            "On a Jetson it comes with JetPack: sudo apt install python3-libnvinfer, then use a virtual "
            "environment of the system's Python made with --system-site-packages."
        )
    return "pip install 'dcgan-edge[gpu]'"


def _upgrade(flavour: Flavour) -> str:
    if flavour == "rtx":
        return "pip install --upgrade 'dcgan-edge[rtx]'"
    if jetson():
        return "Move this Jetson to JetPack 6.1 or later, which brings TensorRT 10.3."
    return "pip install --upgrade 'dcgan-edge[gpu]' (on a Jetson: JetPack 6.1 or later brings 10.3)"
