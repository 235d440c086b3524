"""From what a user asks for to a run: defaults that depend on the data, and what a resumed run may change.

`train` is the public function; the command line builds a `TrainRequest` and calls the same `run_request`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge.data import DIGITS, Dataset, check_source, native_channels, native_size
from dcgan_edge.data.idx import is_idx_folder
from dcgan_edge.data.labelled import class_names
from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath
from dcgan_edge.latents import Distribution
from dcgan_edge.recipes import DEFAULT_RECIPE, recipe_settings
from dcgan_edge.schema import build
from dcgan_edge.training.config import CHANGEABLE, DEFAULT_EPOCHS, SHOWN, TrainConfig, TrainPrecision
from dcgan_edge.training.loop import TrainResult, resumed_config, run_training
from dcgan_edge.training.progress import TrainProgress
from dcgan_edge.training.quality import Judge
from dcgan_edge.training.vital_signs import Classify

DEFAULT_OUT = "runs/digits"
WIDTH = 64  # channels at the finest level
OF_ARCHITECTURE = {"arch": "preset", "size": "size", "channels": "channels", "width": "width",
                   "latent_dim": "latent_dim", "distribution": "distribution",
                   "classes": "classes"}  # fmt: skip


@dataclass(frozen=True)
class TrainRequest:
    """What a user asks for, named as in `train`. None is the default, or what a resumed run has."""

    data: str | None = None
    arch: str | None = None
    size: int | None = None
    channels: int | None = None
    width: int | None = None
    latent_dim: int | None = None
    distribution: Distribution | None = None
    conditional: bool | None = None
    recipe: str | None = None
    batch: int | None = None
    epochs: int | None = None
    minutes: float | None = None
    seed: int | None = None
    precision: TrainPrecision | None = None
    device: str | None = None
    shards: int | None = None
    learning_rate: float | None = None
    beta1: float | None = None
    ema_decay: float | None = None
    log_every: int | None = None
    grid_every: int | None = None
    keep: int | None = None
    eval_every: int | None = None
    eval_data: str | None = None
    tensorboard: bool | None = None

    def given(self) -> dict[str, Any]:
        """Return what was asked for, by name; what is None is left out."""
        return {name: value for name, value in vars(self).items() if value is not None}


def train(
    data: StrPath | None = None, out: StrPath = DEFAULT_OUT, *, arch: str | None = None,
    size: int | None = None, channels: int | None = None, width: int | None = None,
    latent_dim: int | None = None, distribution: Distribution | None = None,
    conditional: bool | None = None, recipe: str | None = None, batch: int | None = None,
    epochs: int | None = None, minutes: float | None = None, seed: int | None = None,
    precision: TrainPrecision | None = None, device: str | None = None, shards: int | None = None,
    learning_rate: float | None = None, beta1: float | None = None, ema_decay: float | None = None,
    log_every: int | None = None, grid_every: int | None = None, keep: int | None = None,
    eval_every: int | None = None, eval_data: StrPath | None = None, tensorboard: bool | None = None,
    resume: bool = False, progress: Callable[[TrainProgress], None] | None = None,
) -> TrainResult:  # fmt: skip
    """Train a GAN on `data` ("digits", or what `dcgan-edge train --data` takes) and return what it came to.

    The folder `out` gets checkpoint.safetensors, metrics.jsonl and grids of samples. `None` is the default:
    preset "dcgan", the size in pixels and the channels of the data, width 64, latents of 100 from "normal",
    25 epochs, seed 0, precision and device "auto", and the batch size, the rates and all else of the
    `recipe` "spectral"; "paper" is the DCGAN paper's. Time may be the budget instead, as `minutes`, resumed
    runs included. With `conditional` the classes of the data are learnt as well, and can be asked for.

    A grid is drawn every `grid_every` steps, and the last `keep` checkpoints of such steps stay. Every
    `eval_every` steps the averaged generator is evaluated on held-out images, or on `eval_data`, and the best
    checkpoint by FID stays in best.safetensors. `tensorboard` writes event files. None of these changes the
    weights, and evaluation does not count into `minutes`.

    On a CPU a batch is taken in `shards` parts, each by a thread of its own: by default as many as there are
    cores for. The number is kept with the run, whose results do not depend on what executes them; 1 leaves
    the work to torch's own threads.

    With `resume` the run in `out` goes on, bit for bit as if it had never stopped (on a CPU); `None` is then
    its own setting; only the budget, `device`, `data`, the place of the images, and what is kept, evaluated
    and shown may change.
    `progress` is called after every step, with what the monitor saw. Ctrl-C and SIGTERM save and raise
    KeyboardInterrupt.

    Raises UsageError (settings that cannot be met, a checkpoint that is in the way, nothing to resume),
    EdgeError (unreadable data, diverged training, a full disk), UnavailableError (no such device,
    no tensorboard) and ArtifactError (a damaged checkpoint).
    """
    request = TrainRequest(
        None if data is None else os.fspath(data), arch, size, channels, width, latent_dim, distribution,
        conditional, recipe, batch, epochs, minutes, seed, precision, device, shards, learning_rate, beta1,
        ema_decay,
        log_every, grid_every, keep, eval_every, None if eval_data is None else os.fspath(eval_data),
        tensorboard,
    )  # fmt: skip
    return run_request(request, Path(out), resume=resume, progress=progress)


def run_request(
    request: TrainRequest,
    out: Path,
    *,
    resume: bool = False,
    progress: Callable[[TrainProgress], None] | None = None,
) -> TrainResult:
    """Train as `request` asks, in the folder `out`; see `train`, which raises the same."""
    config = resolve(request, out, resume=resume)
    return run_training(
        config,
        out,
        resume=resume,
        progress=progress,
        classify=digit_classifier(config),
        make_judge=held_out_judge,
    )


def resolve(request: TrainRequest, out: Path, *, resume: bool = False) -> TrainConfig:
    """Return the settings that `request` comes to: with `resume` those of the run in `out`, else defaults.

    Raises UsageError when they cannot be met, or a resumed run has others.
    """
    if request.epochs is not None and request.minutes is not None:
        raise UsageError("Give --epochs or --minutes, not both.")
    with _settings_checked():
        build(TrainRequest, request.given())  # a value of another type, which only Python code can give
    return _resumed(request, out) if resume else _begun(request)


@contextlib.contextmanager
def _settings_checked() -> Iterator[None]:
    """Turn the ValueError of a field into a UsageError. Only checks belong into the block."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"These settings cannot be met: {error}.") from error


def _begun(request: TrainRequest) -> TrainConfig:
    """Return the settings of a new run, its defaults taken from the data."""
    data = _absolute(request.data or DIGITS)
    if request.data is not None:
        check_source(request.data)
    size = native_size(data) if request.size is None else request.size
    settings = recipe_settings(request.recipe or DEFAULT_RECIPE, size=size) | request.given()
    asked = {"arch": "dcgan", "width": WIDTH, **settings, "data": data, "size": size}
    asked |= _compared_with(request)
    if request.channels is None:
        asked["channels"] = native_channels(asked["data"])
    if request.minutes is None:
        asked.setdefault("epochs", DEFAULT_EPOCHS)
    if asked.pop("conditional", False):
        asked["classes"] = class_names(asked["data"])
    architecture = {own: asked.pop(name) for name, own in OF_ARCHITECTURE.items() if name in asked}
    with _settings_checked():
        return TrainConfig.from_dict({"architecture": architecture, **asked})


def _resumed(request: TrainRequest, out: Path) -> TrainConfig:
    """Return the settings of the run in `out`, with what `request` may change and does."""
    config = resumed_config(out, epochs=request.epochs, minutes=request.minutes)
    facts = config.to_dict()
    has = {name: facts["architecture"][own] for name, own in OF_ARCHITECTURE.items()} | facts
    has["conditional"] = bool(config.architecture.classes)
    given = request.given()
    others = [name for name in given if name not in CHANGEABLE and given[name] != has[name]]
    if others:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in others)
        raise UsageError(
            f"A resumed run keeps its settings: leave out {named}. Only the budget, --device, the place of "
            "the same images, --data, and what is kept, evaluated and shown may be others."
        )
    if request.data is not None:
        check_source(request.data)
        config = dataclasses.replace(config, data=_absolute(request.data))
    changed = {name: given[name] for name in ("device", *SHOWN) if name in given}
    return dataclasses.replace(config, **changed | _compared_with(request))


def _compared_with(request: TrainRequest) -> dict[str, str]:
    """Return where the images of --eval-data are, {} if they are not asked for."""
    if request.eval_data is None:
        return {}
    check_source(request.eval_data)
    return {"eval_data": _absolute(request.eval_data)}


def _absolute(data: str) -> str:
    """Return `data` as it is found from every working directory."""
    return data if data == DIGITS else str(Path(data).absolute())


def digit_classifier(config: TrainConfig) -> Classify | None:
    """Return the shipped digit classifier where it can be asked, else None.

    It knows grey images of its size, from digits or IDX files. It runs in PyTorch: threads of ONNX Runtime
    would get in the way of those of the training.
    """
    from dcgan_edge.evaluation.classifier import SIZE, load_digit_features

    architecture = config.architecture
    if (architecture.size, architecture.channels) != (SIZE, 1):
        return None
    if config.data != DIGITS and not is_idx_folder(Path(config.data)):
        return None
    return load_digit_features("torch").logits


def held_out_judge(config: TrainConfig, data: Dataset) -> Judge:
    """Return what judges a training on `data`, opened as `config` says, by held-out images: with the shipped
    digit classifier where it can be asked, else with random features, which need no weights.

    Raises UsageError for too few held-out images, and what reading them raises.
    """
    from dcgan_edge.evaluation.classifier import load_digit_features
    from dcgan_edge.evaluation.held_out import HeldOut, held_out_images
    from dcgan_edge.evaluation.random_features import RandomFeatures

    size, channels = config.architecture.size, config.architecture.channels
    pixels = held_out_images(data, config.data, size, channels, other=config.eval_data)
    return HeldOut(pixels, load_digit_features("torch") if digit_classifier(config) else RandomFeatures())
