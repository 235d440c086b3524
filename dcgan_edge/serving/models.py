"""The artifacts that are served, by name: what they are called, and what may be asked of them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.files import StrPath
from dcgan_edge.profile import chosen_artifact
from dcgan_edge.runtime.session import Session
from dcgan_edge.serving.worker import Worker

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # what stands in an address as it is
VERSION = "1"  # the only one of each model: another artifact is another server's, or has another name


class UnknownModel(EdgeError):
    """There is no artifact of that name, or no such version."""


@dataclass(frozen=True)
class Limits:
    """What one request may ask for: `images`, and `body`, the bytes that it may send."""

    images: int = 256
    body: int = 16 * 2**20


@dataclass(frozen=True)
class Model:
    """An artifact that is served under `name`."""

    name: str
    worker: Worker

    @property
    def values(self) -> int:
        """Return the number of values in one image."""
        architecture = self.worker.manifest.architecture
        return architecture.channels * architecture.size**2

    def facts(self) -> dict[str, Any]:
        """Return what the page and other clients need to know, as JSON values."""
        manifest = self.worker.manifest
        architecture = manifest.architecture
        return {
            "name": self.name,
            "sha256": manifest.sha256,
            "precision": manifest.precision,
            "preset": architecture.preset,
            "size": architecture.size,
            "channels": architecture.channels,
            "latent_dim": architecture.latent_dim,
            "distribution": architecture.distribution,
            "classes": list(architecture.classes),
            "max_batch": self.worker.batch,
            "session": self.worker.facts.to_dict(),
        }


class Models(Mapping[str, Model]):
    """All that is served, in the order in which it was named; the first is meant where no name is given."""

    def __init__(self, models: Sequence[Model]) -> None:
        """Hold `models`, of which there is at least one."""
        self._models = {model.name: model for model in models}

    def __getitem__(self, name: str) -> Model:
        return self._models[name]

    def __iter__(self) -> Any:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def find(self, name: str | None, version: str = VERSION) -> Model:
        """Return the model `name`, the first for None. Raises UnknownModel naming those that there are."""
        if name is None:
            return next(iter(self._models.values()))
        if name not in self._models:
            raise UnknownModel(f"There is no model {name[:100]!r} here; there are {', '.join(self._models)}.")
        if version != VERSION:
            raise UnknownModel(f"{name} has the version {VERSION} alone, not {version[:100]!r}.")
        return self._models[name]

    def close(self) -> None:
        """Make what waits and close every session."""
        for model in self._models.values():
            model.worker.close()


def named_artifacts(artifacts: Sequence[StrPath]) -> dict[str, Path]:
    """Return the paths of `artifacts` by name: `NAME=PATH`, or a path whose file name says what it is called.

    "out/generator.fp16.onnx" is generator.fp16; a profile stands for its best artifact. Raises UsageError for
    a name that no address can have, and for one that is there twice; and what `chosen_artifact` raises.
    """
    found: dict[str, Path] = {}
    for artifact in artifacts:
        path, name = Path(artifact), ""
        before, equals, after = str(artifact).partition("=")
        if equals and NAME.fullmatch(before) and not path.exists():
            path, name = Path(after), before
        path = chosen_artifact(path)
        name = name or path.stem
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is no name that an address can have. Give one of letters, digits, dots and "
                "dashes: NAME=PATH"
            )
        if name in found:
            raise UsageError(f"Two artifacts are called {name}. Give each its name: NAME=PATH NAME=PATH")
        found[name] = path
    if not found:
        raise UsageError("Nothing is served: name an artifact, such as out/generator.fp16.onnx.")
    return found


def open_models(
    openers: Mapping[str, Callable[[], Session]], *, batch: int | None, delay_s: float, room: int
) -> Models:
    """Open each session in a thread of its own.

    Raises what opening raises, and closes what was opened.
    """
    with contextlib.ExitStack() as opened:
        models = []
        for name, open_it in openers.items():
            worker = Worker(open_it, batch=batch, delay_s=delay_s, room=room)
            opened.callback(worker.close)
            models.append(Model(name, worker))
        opened.pop_all()
        return Models(models)
