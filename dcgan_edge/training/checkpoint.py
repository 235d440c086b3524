"""Checkpoints: one safetensors file with everything that a run needs to go on, or an export to begin.

Tensors are `generator.*`, `discriminator.*`, `ema.*`, `adam.<network>.<parameter>.<moment>` and `rng.*`; of
a generator that came from elsewhere, `ema.*` alone. What the generator is stands in the file as data.
Nothing is ever unpickled, and no network is built from a header before the header's sizes were found to be
those of the tensors in the file, which cannot claim more than its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from dcgan_edge import safetensors_file
from dcgan_edge.artifact import read_file
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.files import write_atomic
from dcgan_edge.generator_spec import GeneratorSpec
from dcgan_edge.models import build_discriminator, build_generator, preset_spec
from dcgan_edge.models.discriminator import without_spectral_norm
from dcgan_edge.models.network import Generator
from dcgan_edge.training import header as headers
from dcgan_edge.training.config import TrainConfig
from dcgan_edge.training.header import METADATA_KEY, Header, generator_json
from dcgan_edge.training.state import MOMENTS, TrainState, tensors

CHECKPOINT_NAME = "checkpoint.safetensors"
PICKLE_SUFFIXES = (".pth", ".pt", ".ckpt", ".pkl", ".pickle", ".bin")
PICKLE_STARTS = (b"PK\x03\x04", b"\x80")  # torch.save's archive, and a bare pickle


def read_header(path: Path) -> Header:
    """Return the header of the training run whose checkpoint is at `path`.

    Raises UsageError when there is no such file, ArtifactError when it is not a checkpoint of this program or
    has no training behind it.
    """
    return _read_content(path).trained(path)


def read_checkpoint(path: Path) -> bytes:
    """Return the content of the checkpoint file at `path`. Raises UsageError when there is no such file."""
    if not path.is_file():
        raise UsageError(f"There is no checkpoint {path}.")
    return read_file(path)


def load_generator(path: Path, content: bytes | None = None) -> tuple[nn.Module, GeneratorSpec]:
    """Return the generator of the checkpoint at `path`, the averaged one where it was trained here, and what
    it is: eval mode, float32, on the CPU.

    `content` is what the file held when it was read, None to read it.

    Raises UsageError when there is no such file; ArtifactError when it is no checkpoint of this program, is
    cut short, or holds tensors that are missing, of the wrong shape, or not finite.
    """
    checkpoint = _read_content(path, content)
    spec = checkpoint.spec
    try:
        with torch.device("meta"):
            generator = Generator(spec.layers, spec.architecture.input_dim)
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(f"{path} claims an impossible generator: {error}.") from error
    return _filled(generator, checkpoint, "ema.", path), spec


def load_discriminator(path: Path) -> tuple[nn.Module, TrainConfig]:
    """Return the discriminator of the checkpoint at `path`: eval mode, float32, on the CPU, and its settings.

    Weights that were trained with a spectral norm are divided by it. Raises as `load_generator` does, and
    ArtifactError for a generator that came without one.
    """
    checkpoint = _read_content(path)
    config = checkpoint.trained(path).config
    discriminator = _on_meta(config, path)["discriminator"]
    return without_spectral_norm(_filled(discriminator, checkpoint, "discriminator.", path)), config


def check_checkpoint(path: Path) -> Header:
    """Return the header of `path`, after all its tensors were found to be there, of its sizes, and finite."""
    content = _read_content(path)
    header = content.trained(path)
    _read(content, _expected(header.config, path), path)
    return header


def save_generator(path: Path, spec: GeneratorSpec, weights: Mapping[str, Tensor]) -> None:
    """Put a generator that was not trained here at `path`, atomically: `weights` by their names in it, such
    as "layers.0.weight", float32 (counts of BatchNorm int64).

    Raises ArtifactError, and writes nothing, when `weights` are not finite or not those of `spec`.
    """
    named = {f"ema.{name}": value.detach().cpu().contiguous() for name, value in weights.items()}
    data = save(named, {METADATA_KEY: generator_json(spec)})
    load_generator(path, data)
    write_atomic(path, data)


def save_checkpoint(path: Path, state: TrainState, header: Header) -> None:
    """Put `state`, torch's random generators and `header` at `path`, atomically.

    Raises EdgeError when a weight is not finite (what lies at `path` is then the last good checkpoint) or
    the file system refuses.
    """
    named = {name: value.detach().cpu().contiguous() for name, value in tensors(state).items()}
    spoiled = _first_not_finite(named)
    if spoiled is not None:
        raise EdgeError(f"Training diverged: {spoiled} is not finite after step {state.step}.")
    named |= random_states(state)
    write_atomic(path, save(named, {METADATA_KEY: header.to_json()}))


def restore_checkpoint(path: Path, state: TrainState) -> None:
    """Put the tensors of `path` into `state`, which has the same architecture, and set torch's generators.

    Raises ArtifactError as `load_generator` does. The step is the header's, which the caller has.
    """
    targets = tensors(state)
    content = _read_content(path)
    found = _read(content, _expected(content.trained(path).config, path), path)
    rng = content.tensors
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(found[name])  # keeps the memory order of the target
    try:
        torch.set_rng_state(rng["rng.cpu"])
        if "rng.cuda" in rng and torch.cuda.is_available():
            torch.cuda.set_rng_state(rng["rng.cuda"])
    except (KeyError, RuntimeError, TypeError) as error:
        raise ArtifactError(f"The random state in {path} is missing or damaged.") from error


def random_states(state: TrainState) -> dict[str, Tensor]:
    """Return torch's generators of the CPU and of the device that `state` is on, as uint8 tensors."""
    device = next(state.generator.parameters()).device
    states = {"rng.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["rng.cuda"] = torch.cuda.get_rng_state(device)
    return states


@dataclass(frozen=True)
class _Content:
    """What a checkpoint holds; the tensors are copies, independent of the file. `header` is None for a
    generator that came from elsewhere.
    """

    header: Header | None
    spec: GeneratorSpec
    tensors: dict[str, Tensor]

    def trained(self, path: Path) -> Header:
        """Return the header of the run; raise ArtifactError if there was none."""
        if self.header is None:
            raise ArtifactError(
                f"{path} holds a generator that was not trained here: there is no run to go on with, and no "
                "discriminator."
            )
        return self.header


def _read_content(path: Path, data: bytes | None = None) -> _Content:
    """Read the checkpoint at `path`, or `data` that was read from it: once, as a run may replace the file.

    What is wrong with it becomes an ArtifactError, a missing file a UsageError.
    """
    if data is None:
        data = read_checkpoint(path)
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise ArtifactError(_pickle_message(path))
    try:
        text = safetensors_file.metadata(data, path.name).get(METADATA_KEY)
    except ArtifactError as error:
        if data.startswith(PICKLE_STARTS):
            raise ArtifactError(_pickle_message(path)) from error
        raise ArtifactError(f"{path} is not a whole checkpoint: {error}") from error
    if text is None:
        raise ArtifactError(
            f"{path} is a safetensors file, but not a checkpoint of dcgan-edge. If it holds a generator, "
            "import it: dcgan-edge import FILE --out DIR"
        )
    header = headers.read_header(text, path.name)
    try:
        if isinstance(header, GeneratorSpec):
            return _Content(None, header, load(data))
        return _Content(header, header.generator or preset_spec(header.config.architecture), load(data))
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path} is not a whole checkpoint ({error}).") from error


def _filled(module: nn.Module, checkpoint: _Content, prefix: str, path: Path) -> nn.Module:
    """`module`, which has no memory yet, frozen, with the tensors whose names begin with `prefix`."""
    found = _read(checkpoint, {prefix + name: value for name, value in module.state_dict().items()}, path)
    weights = {name.removeprefix(prefix): value for name, value in found.items()}
    module.load_state_dict(weights, assign=True)
    return module.requires_grad_(False).eval()


def _pickle_message(path: Path) -> str:
    return (
        f"{path} is a pickle, and those of other programs are imported first, without running what they "
        f"hold: dcgan-edge import {path.name} --out DIR. Checkpoints of ours are called {CHECKPOINT_NAME}."
    )


def _on_meta(config: TrainConfig, path: Path) -> dict[str, nn.Module]:
    """Both networks without memory for their weights: names and shapes only, whatever size is claimed."""
    architecture = config.architecture
    try:
        with torch.device("meta"):
            return {
                "generator": build_generator(architecture),
                "discriminator": build_discriminator(architecture, config.discriminator),
            }
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(f"{path} claims an impossible network: {architecture}.") from error


def _expected(config: TrainConfig, path: Path) -> dict[str, Tensor]:
    """Every tensor of a checkpoint but the random states, as meta tensors."""
    networks = _on_meta(config, path)
    named: dict[str, Tensor] = {}
    for prefix, network in (*networks.items(), ("ema", networks["generator"])):
        named |= {f"{prefix}.{name}": value for name, value in network.state_dict().items()}
    scalar = torch.empty((), device="meta")
    for prefix, network in networks.items():
        for name, parameter in network.named_parameters():
            shapes = dict(zip(MOMENTS, (scalar, parameter, parameter), strict=True))
            named |= {f"adam.{prefix}.{name}.{moment}": value for moment, value in shapes.items()}
    return named


def _read(content: _Content, expected: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors named in `expected`, taken out of `content`, once all shapes and types are as expected."""
    missing = sorted(set(expected) - set(content.tensors))
    if missing:
        raise ArtifactError(f"{path} lacks {missing[0]}, which its architecture has.")
    for name, like in expected.items():
        shape = tuple(content.tensors[name].shape)
        if shape != tuple(like.shape):
            raise ArtifactError(
                f"{path} holds {name} of shape {shape}; its architecture has {tuple(like.shape)}."
            )
    found = {name: content.tensors[name] for name in expected}
    for name, value in found.items():
        if value.dtype != expected[name].dtype:
            raise ArtifactError(f"{path} holds {name} as {value.dtype}, not {expected[name].dtype}.")
    spoiled = _first_not_finite(found)
    if spoiled is not None:
        raise ArtifactError(f"{path} holds NaN or infinite values in {spoiled}.")
    return found


def _first_not_finite(named: dict[str, Tensor]) -> str | None:
    return next((name for name, value in named.items() if not torch.isfinite(value).all()), None)
