"""`tensorrt` and `tensorrt_rtx` over the in-memory GPU, held to the API of one version."""

from __future__ import annotations

from enum import Enum
from types import ModuleType
from typing import Any

from tests.fakes.engine import Runtime
from tests.fakes.gpu import Gpu
from tests.fakes.surface import Library


class ILogger:
    class Severity(Enum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4

    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = Severity


def make_tensorrt(gpu: Gpu, version: str) -> ModuleType:
    """The module to put in the place of `tensorrt` or `tensorrt_rtx`: the names of `version`, no other."""
    library = Library(gpu, version)
    module = ModuleType("tensorrt_rtx" if library.is_rtx else "tensorrt")

    def make_runtime(logger: Any) -> Runtime:
        library.logger = logger
        return Runtime(library, logger)

    contents = {"ILogger": ILogger, "Runtime": make_runtime, "__version__": library.version}
    vars(module).update({**library.enums, **contents})
    return module
