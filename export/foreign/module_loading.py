"""A generator that is somebody's own code: imported, made and given its weights, in this process.

This is the one place of the program that runs code of others, and only what was asked for by name. What goes
wrong in there is told as theirs, in a sentence; what it prints goes to stderr.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.files import sha256_of

from .module_weights import ARGUMENTS, digest, load_weights, reason

NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
LONGEST_SIGNATURE = 200  # characters


@dataclass(frozen=True)
class LoadedModule:
    """The module of `name`, "package.module:factory": eval mode, float32, on the CPU, frozen.

    `file` is the name of the file of its weights, "" where they are the factory's own, and `sha256` that
    file's, or the weights' themselves. `notes` are sentences about what was done.
    """

    name: str
    module: nn.Module
    file: str
    sha256: str
    notes: tuple[str, ...]


def load_module(
    name: str,
    *,
    arguments: Mapping[str, Any] | None = None,
    weights: Path | None = None,
    key: str | None = None,
) -> LoadedModule:
    """Import `name`, "package.module:factory", and return its module with the weights of the file `weights`.

    The factory is a class or function, called with the keyword `arguments`, or a module itself. The current
    folder must be on the path (`importing_from_here`). `key` says where in the file the weights lie.

    Raises UsageError when the name leads nowhere, or the arguments or weights do not fit it; EdgeError when
    its code raises; ArtifactError for the file of weights.
    """
    notes = [f"The code of {name} was run in this process, to make the generator and as the reference."]
    module = _module(name, arguments)
    module, inner = _unwrapped(module, name)
    notes += inner
    file, checksum = "", ""
    if weights is not None:
        notes += load_weights(module, weights, key, name)
        file, checksum = weights.name, sha256_of(weights) if weights.is_file() else ""
    elif key is not None:
        raise UsageError("A key says where in a file the weights lie; add --weights FILE.")
    else:
        notes.append(f"The weights are those that {name} came with: no file of weights was given.")
    notes += _placed(module, name)
    module.requires_grad_(False).eval()
    return LoadedModule(name, module, file, checksum or digest(module), tuple(notes))


@contextlib.contextmanager
def importing_from_here() -> Iterator[None]:
    """Let modules be imported from the current folder within, as `python -m` does; stdout becomes stderr."""
    here = os.getcwd()  # noqa: PTH109  # a string, as sys.path has it
    sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        with contextlib.suppress(ValueError):  # the code may have taken it away itself
            sys.path.remove(here)


def _module(name: str, arguments: Mapping[str, Any] | None) -> nn.Module:
    """Import and call. Raises UsageError and EdgeError in sentences."""
    place, _, attribute = name.partition(":")
    if place.endswith(".py") or not NAME.fullmatch(place) or not NAME.fullmatch(attribute):
        example = place.removesuffix(".py").strip("./").replace("/", ".") or "package.module"
        raise UsageError(
            f"{name!r} is not the name of a factory; write it as Python does: --module "
            f"{example}:{attribute or 'Generator'}"
        )
    factory = _attribute(_imported(place), attribute, name)
    if isinstance(factory, nn.Module):
        if arguments:
            raise UsageError(f"{name} is a module already, not a factory: it takes no --module-args.")
        return factory
    if not callable(factory):
        raise UsageError(f"{name} is a {type(factory).__name__}; a class or a function makes a module.")
    try:
        made = factory(**(arguments or {}))
    except TypeError as error:
        raise UsageError(
            f"{name}{_signature(factory)} could not be called ({reason(error)}). {ARGUMENTS}"
        ) from error
    except (Exception, SystemExit) as error:  # whatever their code raises
        raise EdgeError(f"{name} could not make the module: it raised {reason(error)}.") from error
    if isinstance(made, nn.Module):
        return made
    raise UsageError(f"{name} made a {type(made).__name__}, not a torch.nn.Module.")


def _imported(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            raise UsageError(
                f"There is no Python module {error.name}, neither installed nor in the current folder. "
                "Change to the folder that it lies in, or add that to PYTHONPATH."
            ) from error
        raise EdgeError(
            f"{place} cannot be imported: it needs {error.name}, which is not installed."
        ) from error
    except (Exception, SystemExit) as error:  # whatever their code raises
        raise EdgeError(f"{place} cannot be imported: it raised {reason(error)}.") from error


def _attribute(module: ModuleType, attribute: str, name: str) -> Any:
    found: Any = module
    try:
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError as error:
        own = [
            each
            for each, value in vars(module).items()
            if isinstance(value, nn.Module)
            or (
                inspect.isclass(value)
                and issubclass(value, nn.Module)
                and value.__module__ == module.__name__
            )
        ]
        there = f" Its modules are: {', '.join(own[:8])}." if own else ""
        raise UsageError(f"{module.__name__} has no {attribute}, which {name} asks for.{there}") from error
    return found


def _signature(factory: Any) -> str:
    try:
        return str(inspect.signature(factory))[:LONGEST_SIGNATURE]
    except (TypeError, ValueError):
        return "()"


def _unwrapped(module: nn.Module, name: str) -> tuple[nn.Module, list[str]]:
    """The module inside of wrappers for training, and what was taken off."""
    notes: list[str] = []
    if isinstance(module, torch.jit.ScriptModule):
        raise UsageError(
            f"{name} is TorchScript, whose Python code is gone; give the module it was made from."
        )
    while True:
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = module.module
        elif hasattr(module, "_orig_mod") and isinstance(module._orig_mod, nn.Module):
            inner = module._orig_mod  # of torch.compile
        else:
            return module, notes
        notes.append(f"Taken out of its {type(module).__name__}.")
        module = inner


def _placed(module: nn.Module, name: str) -> list[str]:
    """Put `module` on the CPU as float32, and say what was changed. Raises EdgeError where that cannot be."""
    tensors = [*module.parameters(), *module.buffers()]
    if any(is_lazy(tensor) for tensor in tensors):
        raise EdgeError(
            f"{name} has lazy layers without weights: they are made at the first call. Give --weights FILE, "
            "or let the factory call the module once before it returns it."
        )
    devices = {tensor.device.type for tensor in tensors}
    if "meta" in devices:
        raise EdgeError(f"{name} has weights on the meta device, which holds no values. Let it make them.")
    kinds = {str(tensor.dtype) for tensor in tensors if tensor.is_floating_point()}
    module.cpu().float()
    notes = [f"Moved from {device} to the CPU." for device in sorted(devices - {"cpu"})]
    return notes + [
        f"Converted from {kind.removeprefix('torch.')} to float32."
        for kind in sorted(kinds - {"torch.float32"})
    ]
