"""Generators of Keras, without Keras: a file and its configuration in, our layers and tensors out."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from dcgan_edge.errors import ArtifactError
from dcgan_edge.extras import need
from dcgan_edge.latents import FloatArray
from dcgan_edge.layers import Layer, shapes
from dcgan_edge.names import shown

from .keras_assumed import assume
from .keras_config import Described, described
from .keras_file import Arrays, KerasFile, parse_config, read_file
from .keras_layers import BIAS, KERNEL, NORM, Chain, convert

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
MOST_LAYERS = 1000
ENDS = ("tanh", "clip", "rescale")


@dataclass(frozen=True)
class KerasGenerator:
    """A generator of Keras as ours: latents (n, latent_dim, 1, 1) to images (n, channels, size, size).

    `tensors` are float32 by our names ("layers.0.weight"; counts of BatchNorm int64), `notes` sentences about
    what was converted, `assumptions` what no array tells, where the file has no architecture.
    `stored` are the arrays as they lie in the file ("dense.kernel"), `homes` says which of our layers each
    layer of Keras with arrays became.
    """

    layers: tuple[Layer, ...]
    tensors: dict[str, Tensor]
    latent_dim: int
    channels: int
    size: int
    notes: tuple[str, ...]
    assumptions: tuple[str, ...] = ()
    stored: dict[str, Tensor] = field(default_factory=dict)
    homes: dict[str, int] = field(default_factory=dict)


def read_keras(path: Path) -> KerasGenerator:
    """Return the generator in the Keras file `path`: .keras, a whole model in .h5, or arrays alone in .h5.

    The architecture of arrays alone is read from a file beside them, `generator.json` for
    `generator.weights.h5` or `generator_weights.h5`, as `model.to_json()` writes it; without that file it is
    assumed from the shapes.

    Raises UsageError when there is no such file; ArtifactError when it is damaged, claims more than it holds,
    names Lambda or custom layers, branches, or has a layer that none of ours does the same as;
    UnavailableError without h5py.
    """
    need("h5py", "keras")
    content = read_file(path)
    config = content.config if content.config is not None else _config_beside(path)
    assumptions: tuple[str, ...] = ()
    if config is None:
        config, assumptions = assume(content) or _refuse_arrays(path)
    layers = list(described(config, (), by_class=content.by_class))
    if len(layers) > MOST_LAYERS:
        raise ArtifactError(f"{shown(path.name)} has {len(layers):,} layers.")
    latent = _latent(config, layers, content)
    chain = Chain(shape=latent)
    stored: dict[str, Tensor] = {}
    homes: dict[str, int] = {}
    for layer in layers:
        name, weights, place = "/".join(layer.place), _weights(layer, content), len(chain.layers)
        try:
            convert(chain, layer.kind, layer.config, weights)
        except (ArtifactError, ValueError, TypeError) as error:
            raise ArtifactError(f"{shown(path.name)}: {layer.kind} {shown(name)}: {error}.") from error
        stored |= {f"{name}.{array}": torch.from_numpy(value) for array, value in weights.items()}
        if weights:
            homes[name] = place + (chain.layers[place].kind == "flatten")
    found = _finished(chain, latent[-1], path)
    return replace(found, assumptions=assumptions, stored=stored, homes=homes)


def _finished(chain: Chain, latent_dim: int, path: Path) -> KerasGenerator:
    """The generator that `chain` is, once its images are in [-1, 1] and everything fits together."""
    notes = []
    if len(chain.shape) != 3 or chain.shape[0] != chain.shape[1]:
        raise ArtifactError(f"{shown(path.name)} makes {chain.shape}, not square images.")
    last = next((layer.kind for layer in reversed(chain.layers) if layer.kind != "reshape"), "")
    if last == "sigmoid":
        chain.add(Layer("rescale"))
        notes.append("It ends in a sigmoid: its images, in [0, 1], are taken to [-1, 1].")
    elif last not in ENDS:
        chain.add(Layer("clip"))
        notes.append("It ends without tanh or sigmoid: its images are cut off at -1 and 1.")
    uneven = [
        layer for layer in chain.layers if layer.kind == "conv_transpose" and len(set(layer.padding)) > 1
    ]
    if uneven:
        notes.append(
            f"{len(uneven)} transposed convolutions cut off one pixel more behind than before, as TensorFlow "
            "and JAX do; Keras on PyTorch shifts them by that pixel."
        )
    try:
        shapes(chain.layers, latent_dim)
    except ValueError as error:
        raise ArtifactError(f"{shown(path.name)} is no generator that can be built here: {error}.") from error
    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in chain.arrays.items()}
    spoiled = next((name for name, value in tensors.items() if not torch.isfinite(value).all()), None)
    if spoiled is not None:
        raise ArtifactError(f"{shown(path.name)} holds NaN or infinite values in {spoiled}.")
    for index, layer in enumerate(chain.layers):
        if layer.kind == "batch_norm":
            tensors[f"layers.{index}.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
    size, _, channels = chain.shape
    return KerasGenerator(tuple(chain.layers), tensors, latent_dim, channels, size, tuple(notes))


def _config_beside(path: Path) -> dict[str, Any] | None:
    """The architecture of a file of arrays, if it lies beside: JSON of the same name, less "weights"."""
    for name in dict.fromkeys((path.stem, _stem(path))):
        beside = path.with_name(f"{name}.json")
        if os.path.isfile(beside):  # noqa: PTH113  # however long the name is
            try:
                with open(beside, "rb") as file:
                    return parse_config(file.read(2**24 + 1), beside.name)
            except OSError as error:
                raise ArtifactError(f"Cannot read {shown(beside)}: {error.strerror or error}.") from error
    return None


def _stem(path: Path) -> str:
    return re.sub(r"[._-]?weights$", "", path.stem)


def _refuse_arrays(path: Path) -> NoReturn:
    raise ArtifactError(
        f"{shown(path.name)} holds arrays only, and they do not follow each other in one row. Put its "
        "architecture beside it, where the model is:\n"
        f"    open({_stem(path) + '.json'!r}, 'w').write(model.to_json())"
    )


def _weights(layer: Described, content: KerasFile) -> dict[str, FloatArray]:
    """The arrays of `layer` by Keras' names of them."""
    if content.by_class:
        found = _below(content.arrays, layer.place)
        numbered = [value for _, value in sorted(found.items(), key=lambda item: (len(item[0]), item[0]))]
        return dict(zip(_names(layer), numbered, strict=False))
    inner = layer.place[1:]
    return {
        key[-1].partition(":")[0]: value
        for key, value in content.arrays.items()
        if key[0] == layer.place[0] and len(key) > 1 and (not inner or key[-2:-1] == inner[-1:])
    }


def _below(arrays: Arrays, place: tuple[str, ...]) -> dict[str, FloatArray]:
    return {key[-1]: value for key, value in arrays.items() if key[:-1] == place}


def _names(layer: Described) -> list[str]:
    """The arrays that a layer of Keras 3 has, in its order."""
    if layer.kind != "BatchNormalization":
        return [KERNEL, *([BIAS] if layer.config.get("use_bias", True) else [])]
    left_out = {NORM[0]: layer.config.get("scale", True), NORM[1]: layer.config.get("center", True)}
    return [name for name in NORM if left_out.get(name, True)]


def _latent(config: dict[str, Any], layers: list[Described], content: KerasFile) -> tuple[int, ...]:
    """The shape of one latent in Keras' order: (n,) or (1, 1, n)."""
    settings = config.get("config")
    candidates = [settings.get("build_input_shape")] if isinstance(settings, dict) else []
    for layer in layers[:2]:
        candidates += [layer.config.get(name) for name in ("batch_shape", "batch_input_shape")]
    for shape in candidates:
        if (
            isinstance(shape, list)
            and len(shape) > 1
            and all(isinstance(n, int) and n > 0 for n in shape[1:])
        ):
            if len(shape) == 2 or (len(shape) == 4 and shape[1:3] == [1, 1]):
                return tuple(shape[1:])
            raise ArtifactError(f"The model takes {shape[1:]}, not latents.")
    first = next((layer for layer in layers if layer.kind == "Dense"), None)
    kernel = _weights(first, content).get(KERNEL) if first is not None else None
    if kernel is None or kernel.ndim != 2:
        raise ArtifactError("The model does not say what latents it takes: it has no input shape.")
    return (kernel.shape[0],)
