"""Files of Keras, read by h5py alone: what the network is, and its arrays by layer and name.

    .keras        a zip archive: config.json and model.weights.h5 (Keras 3; Keras 2 from 2.12)
    .h5 .hdf5     a whole model, its configuration in an attribute (Keras 2 and 3)
    .weights.h5   arrays only; the configuration is a file beside it, as `model.to_json()` writes it

Nothing is run, and no link is followed: arrays lie in the file as they are, or the file is refused.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dcgan_edge.errors import ArtifactError, EdgeError
from dcgan_edge.latents import FloatArray
from dcgan_edge.names import shown
from dcgan_edge.schema import read_json

from .containers import open_regular

if TYPE_CHECKING:
    import h5py

FILE_LIMIT = 4 * 2**30  # bytes
CONFIG_LIMIT = 16 * 2**20  # bytes
CONFIG_DEPTH = 60
LINK_LIMIT = 5_000  # groups and arrays in a file
DEPTH_LIMIT = 16  # groups within each other
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MODEL = "model_weights"
OPTIMISERS = ("optimizer", "optimizer_weights", "_optimizer")
LAYERS = ("layers", "_layer_checkpoint_dependencies")  # of Keras 3, and of Keras 2.12 in the new format
Arrays = dict[tuple[str, ...], FloatArray]  # by the groups that they lie in


@dataclass(frozen=True)
class KerasFile:
    """The configuration, None where there is none, and the arrays of a file.

    Keys of `arrays` begin with the layer: by its place among those of its class where `by_class`
    ("conv2d_1" is the second), else by its name; they end with the number or the name of the array. `layers`
    are those names, of layers without arrays as well.
    """

    config: dict[str, Any] | None
    arrays: Arrays
    by_class: bool
    layers: tuple[str, ...] = ()


def read_file(path: Path) -> KerasFile:
    """Return what the Keras file `path` holds.

    Raises UsageError when there is no such file, ArtifactError when it is damaged, is none of Keras, claims
    more than it holds, or has links and compressed arrays in it.
    """
    try:
        with open_regular(path) as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise EdgeError(f"Cannot read {shown(path)}: {error.strerror or error}.") from error
    if len(data) > FILE_LIMIT:
        raise ArtifactError(f"{shown(path.name)} is larger than {FILE_LIMIT // 2**30} GiB.")
    try:
        if data.startswith(b"PK\x03\x04"):
            config, data = _unzip(data, path.name)
            return _read(data, path.name, config)
        return _read(data, path.name, None)
    except EdgeError:
        raise
    except Exception as error:  # damaged HDF5 raises whatever its bytes lead to
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ArtifactError(
            f"{shown(path.name)} is damaged, or no file of Keras ({shown(reason)})."
        ) from error


def _unzip(data: bytes, name: str) -> tuple[dict[str, Any], bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if CONFIG not in entries or WEIGHTS not in entries or len(entries) != len(archive.infolist()):
            raise ArtifactError(
                f"{shown(name)} is a zip archive, but not one of Keras: it lacks {CONFIG} or {WEIGHTS}."
            )
        for entry in entries.values():
            if ".." in entry.filename.split("/") or entry.filename.startswith("/") or "\\" in entry.filename:
                raise ArtifactError(
                    f"{shown(name)} holds {shown(entry.filename)}, which would lie outside of it."
                )
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > len(data):
                raise ArtifactError(
                    f"{shown(name)} holds {shown(entry.filename)} compressed, which Keras never does."
                )
        return parse_config(archive.read(CONFIG), name), archive.read(WEIGHTS)


def parse_config(text: bytes | str, name: str) -> dict[str, Any]:
    """Return the configuration of a model from its JSON. Raises ArtifactError naming `name` if it is none."""
    config = read_json(text, f"The configuration in {shown(name)}", limit=CONFIG_LIMIT, depth=CONFIG_DEPTH)
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise ArtifactError(f"The configuration in {shown(name)} does not describe a Keras model.")
    return config


def _read(data: bytes, name: str, config: dict[str, Any] | None) -> KerasFile:
    import h5py

    with h5py.File(io.BytesIO(data), "r") as file:
        if config is None and "model_config" in file.attrs:
            text = _attribute(file, "model_config", name)
            config = parse_config(text, name)
        arrays = dict(_arrays(file, len(data), name))  # which refuses links before one is followed below
        inner = next((label for label in (*LAYERS, MODEL) if label in file), "")
        layers = tuple(file[inner or "/"])
    by_class = inner in LAYERS
    if by_class:
        arrays = {_inner(key): value for key, value in arrays.items() if key[0] in LAYERS}
    else:
        arrays = {key[key[0] == MODEL :]: value for key, value in arrays.items()}
    return KerasFile(config, arrays, by_class, layers)


def _inner(key: tuple[str, ...]) -> tuple[str, ...]:
    """("layers", "dense", "vars", "0") as ("dense", "0"), models within models as well."""
    return tuple(part for part in key if part not in (*LAYERS, "vars"))


def _attribute(file: h5py.File, name: str, origin: str) -> str:
    stored = file.attrs.get_id(name)
    if stored.get_storage_size() > CONFIG_LIMIT or math.prod(stored.shape) != 1:
        raise ArtifactError(f"The configuration in {shown(origin)} is too large.")
    value = file.attrs[name]
    return value.decode() if isinstance(value, bytes) else str(value)


def _arrays(file: h5py.File, size: int, name: str) -> Iterator[tuple[tuple[str, ...], FloatArray]]:
    """Every array of numbers in `file` by its place, once its bytes were found to lie in the file."""
    import h5py

    pending: list[tuple[tuple[str, ...], h5py.Group]] = [((), file)]
    links = 0
    while pending:
        place, group = pending.pop()
        links += len(group)
        if links > LINK_LIMIT or len(place) > DEPTH_LIMIT:
            raise ArtifactError(f"{shown(name)} holds groups without end, which no file of weights does.")
        for label in group:
            key = (*place, label)
            if key[0] in OPTIMISERS:
                continue
            if not isinstance(group.get(label, getlink=True), h5py.HardLink):
                raise ArtifactError(
                    f"{shown(name)} holds {shown('/'.join(key))} as a link, which is not followed."
                )
            inner = group[label]
            if isinstance(inner, h5py.Group):
                pending.append((key, inner))
            elif isinstance(inner, h5py.Dataset) and inner.dtype.kind == "f" and inner.dtype.itemsize <= 8:
                size -= _stored_bytes(inner)
                if size < 0 or inner.is_virtual or inner.external:
                    raise ArtifactError(
                        f"{shown(name)} claims more of {shown('/'.join(key))} than it holds, or has it "
                        "compressed or in another file."
                    )
                yield key, np.asarray(inner[()], np.float32)


def _stored_bytes(array: h5py.Dataset) -> int:
    """The bytes of `array` in the file; more than any file has when it claims more than that."""
    claimed = math.prod(array.shape or ()) * int(array.dtype.itemsize)
    return claimed if claimed <= array.id.get_storage_size() else FILE_LIMIT + 1
