"""The configuration of a Keras model as one row of layers; code, custom classes and branches are refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dcgan_edge.errors import ArtifactError
from dcgan_edge.names import shown

MODELS = ("Sequential", "Functional", "Model")
DEEPEST = 4  # models within models
KERAS = re.compile(r"(tf_|tensorflow\.(python\.)?)?keras(\.|$)")
HISTORY = 3  # name, node and tensor of what a layer takes, in a functional model


@dataclass(frozen=True)
class Described:
    """One layer of the configuration; `place` are the names of the models that it lies in, and its own."""

    kind: str
    config: dict[str, Any]
    place: tuple[str, ...]


def described(model: dict[str, Any], place: tuple[str, ...], *, by_class: bool) -> Iterator[Described]:
    """Yield the layers of `model` in the order of their calls, those of inner models in their place.

    `place` are the names of the models around it. With `by_class` layers go by their class and number, as in
    the files of Keras 3, else by their names.

    Raises ArtifactError for branches, code, custom classes and whatever is no description of a model.
    """
    if len(place) > DEEPEST:
        raise ArtifactError("The model holds models within models without end.")
    used: Counter[str] = Counter()
    for entry in _in_order(model):
        kind, config = _checked(entry)
        name = str(config.get("name", ""))
        if by_class:
            snake = _snake(kind)
            name = f"{snake}_{used[snake]}" if used[snake] else snake
            used[snake] += 1
        if kind in MODELS:
            yield from described(entry, (*place, name), by_class=by_class)
        else:
            yield Described(kind, config, (*place, name))


def _in_order(model: dict[str, Any]) -> list[dict[str, Any]]:
    _checked(model)
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config  # a bare list in early Keras 2
    if model["class_name"] not in MODELS:
        raise ArtifactError(f"A {shown(model['class_name'])} is not a Sequential or Functional model.")
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise ArtifactError("The configuration has no list of layers.")
    if model["class_name"] == "Sequential":
        return layers
    return _in_a_row(layers)


def _in_a_row(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The layers of a functional model from its input on. Raises ArtifactError when they branch or join."""
    takes = {}
    for layer in layers:
        name = layer.get("name") or _checked(layer)[1].get("name")
        sources = list(_sources(layer.get("inbound_nodes", [])))
        if len(sources) > 1 or str(name) in takes:
            raise ArtifactError(
                f"The model is no single row of layers: {shown(str(layer.get('class_name')))} "
                f"{shown(str(name))} "
                f"takes {', '.join(map(shown, sources)) or 'nothing'}."
            )
        takes[str(name)] = (sources[0] if sources else "", layer)
    row: list[dict[str, Any]] = []
    source = ""
    while len(row) < len(layers):
        following = [(name, layer) for name, (taken, layer) in takes.items() if taken == source]
        if len(following) != 1:
            raise ArtifactError(
                f"The model is no single row of layers: it branches behind {shown(source) or 'its start'}."
            )
        source = following[0][0]
        row.append(following[0][1])
    return row


def _sources(nodes: object, depth: int = 0) -> Iterator[str]:
    """The layers that a layer takes from, in the notation of Keras 2 and of Keras 3."""
    if isinstance(nodes, dict):
        nodes = list(nodes.values())
    if not isinstance(nodes, list) or depth > 12:
        return
    if (
        len(nodes) >= HISTORY
        and isinstance(nodes[0], str)
        and all(isinstance(each, int) for each in nodes[1:HISTORY])
    ):
        yield nodes[0]
        return
    for inner in nodes:
        yield from _sources(inner, depth + 1)


def _checked(entry: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Class and settings of a layer. Raises ArtifactError for code, and for classes not of Keras."""
    kind, config = entry.get("class_name"), entry.get("config")
    module, registered = entry.get("module"), entry.get("registered_name")
    if not isinstance(kind, str) or not isinstance(config, dict | list):
        raise ArtifactError("The configuration has a layer without a class or settings.")
    custom = (isinstance(module, str) and not KERAS.match(module)) or (
        isinstance(registered, str) and ">" in registered
    )
    if kind in ("Lambda", "TFOpLambda") or custom:
        what = "holds code" if not custom else "is a custom class"
        raise ArtifactError(
            f"The model names {shown(registered if isinstance(registered, str) else kind)}, which {what}; "
            "nothing of a file is run here. Export it as ONNX where its code is, and use: dcgan-edge adopt"
        )
    return kind, config if isinstance(config, dict) else {}


def _snake(kind: str) -> str:
    """A class's name as Keras 3 names its layers in files: Conv2DTranspose is conv2d_transpose."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()
