"""Keras files by the documented layouts, written with h5py alone: those of Keras 3 and those of Keras 2."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dcgan_edge.latents import FloatArray

Described = tuple[str, dict[str, Any], list[FloatArray]]  # class, settings, arrays
SNAKE = {
    "Dense": "dense", "Conv2D": "conv2d", "Conv2DTranspose": "conv2d_transpose", "Reshape": "reshape",
    "BatchNormalization": "batch_normalization", "LeakyReLU": "leaky_re_lu", "ReLU": "re_lu",
    "UpSampling2D": "up_sampling2d", "Activation": "activation", "Flatten": "flatten", "Dropout": "dropout",
}  # fmt: skip
NORM = ("gamma", "beta", "moving_mean", "moving_variance")


class Network:
    """A Sequential model that is written down layer by layer, with random weights that keep contrast."""

    def __init__(self, latent: tuple[int, ...], seed: int = 0) -> None:
        self.latent, self.shape = latent, latent
        self.rng = np.random.default_rng(seed)
        self.layers: list[Described] = []

    def _array(self, *shape: int) -> FloatArray:
        fan = max(int(np.prod(shape)) // max(shape[-1], 1), 1)
        made: FloatArray = self.rng.normal(0, 1.5 / np.sqrt(fan), shape).astype(np.float32)
        return made

    def dense(self, units: int, **more: Any) -> Network:
        config = {"units": units, "activation": "linear", "use_bias": True, **more}
        arrays = [self._array(self.shape[-1], units), *([self._array(units)] if config["use_bias"] else [])]
        self.shape = (units,)
        return self.add("Dense", config, arrays)

    def conv(self, kind: str, filters: int, kernel: int, stride: int = 1, **more: Any) -> Network:
        config = {
            "filters": filters, "kernel_size": [kernel, kernel], "strides": [stride, stride],
            "padding": "same", "data_format": "channels_last", "dilation_rate": [1, 1],
            "activation": "linear", "use_bias": True, **more,
        }  # fmt: skip
        inputs = self.shape[-1]
        around = (inputs, filters) if kind == "Conv2D" else (filters, inputs)
        arrays = [
            self._array(kernel, kernel, *around),
            *([self._array(filters)] if config["use_bias"] else []),
        ]
        self.shape = (*self.shape[:-1], filters)
        return self.add(kind, config, arrays)

    def norm(self, **more: Any) -> Network:
        config = {"axis": -1, "momentum": 0.99, "epsilon": 0.001, "center": True, "scale": True, **more}
        arrays = [self.rng.uniform(0.5, 1.5, self.shape[-1]).astype(np.float32) for _ in NORM]
        return self.add("BatchNormalization", config, arrays)

    def reshape(self, *shape: int) -> Network:
        self.shape = shape
        return self.add("Reshape", {"target_shape": list(shape)})

    def flatten(self, features: int) -> Network:
        self.shape = (features,)
        return self.add("Flatten", {"data_format": "channels_last"})

    def upsample(self, factor: int = 2, interpolation: str = "nearest") -> Network:
        config = {"size": [factor, factor], "interpolation": interpolation, "data_format": "channels_last"}
        return self.add("UpSampling2D", config)

    def add(self, kind: str, config: dict[str, Any], arrays: list[FloatArray] | None = None) -> Network:
        number = sum(1 for other, _, _ in self.layers if other == kind)
        name = SNAKE.get(kind, kind.lower()) + (f"_{number}" if number else "")
        self.layers.append((kind, {"name": name, **config}, arrays or []))
        return self

    def config(self, keras: int = 3) -> dict[str, Any]:
        """What `model.get_config()` gives, with its class around it, in the way of Keras 2 or 3."""
        layers: list[dict[str, Any]] = []
        start = {
            "class_name": "InputLayer",
            "config": {"batch_shape": [None, *self.latent], "name": "input_layer"},
        }
        for kind, config, _ in self.layers:
            layers.append({"class_name": kind, "config": dict(config)})
            if keras == 3:
                layers[-1] |= {"module": "keras.layers", "registered_name": None}
        if keras == 3:
            layers.insert(0, {**start, "module": "keras.layers", "registered_name": None})
        else:
            layers[0]["config"]["batch_input_shape"] = [None, *self.latent]
        found: dict[str, Any] = {
            "class_name": "Sequential",
            "config": {"name": "sequential_1", "layers": layers},
        }
        return found | ({"module": "keras", "registered_name": None} if keras == 3 else {})


def names(kind: str, arrays: list[FloatArray]) -> tuple[str, ...]:
    return NORM if kind == "BatchNormalization" else ("kernel", "bias")[: len(arrays)]


def write_vars(file: h5py.Group, network: Network, layers: str = "layers") -> None:
    """The layout of Keras 3: layers/conv2d_1/vars/0."""
    used: Counter[str] = Counter()
    for kind, _, arrays in network.layers:
        snake = SNAKE.get(kind, kind.lower())
        group = file.create_group(f"{layers}/{snake}_{used[snake]}" if used[snake] else f"{layers}/{snake}")
        used[snake] += 1
        inner = group.create_group("vars")
        for number, array in enumerate(arrays):
            inner.create_dataset(str(number), data=array)


def write_named(file: h5py.Group, network: Network, model: str = "") -> None:
    """The layout of Keras 2: conv2d_1/conv2d_1/kernel:0; all in one group where the model lies in another."""
    tops = []
    for kind, config, arrays in network.layers:
        top = model or config["name"]
        tops.append(top)
        group = file.require_group(top)
        labels = [f"{config['name']}/{name}:0" for name in names(kind, arrays)]
        for label, array in zip(labels, arrays, strict=True):
            group.create_dataset(label, data=array)
        if not model:
            group.attrs["weight_names"] = np.array([label.encode() for label in labels] or [b""])
    file.attrs["layer_names"] = np.array([top.encode() for top in dict.fromkeys(tops)])


def write_archive(path: Path, network: Network, layers: str = "layers", **more: Any) -> None:
    """A .keras file; `more` are changes of its configuration."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write_vars(file, network, layers)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(network.config() | more))
        archive.writestr("model.weights.h5", buffer.getvalue())


def write_whole(path: Path, network: Network) -> None:
    """An .h5 file of Keras 2."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"2.4.0"
        file.attrs["model_config"] = json.dumps(network.config(2)).encode()
        write_named(file.create_group("model_weights"), network)
        file.create_group("optimizer_weights").create_dataset("Adam/iterations:0", data=3)


def write_wrapped(path: Path, network: Network) -> None:
    """An .h5 file of Keras 2 of Model(noise, sequential(noise))."""
    start = {"class_name": "InputLayer", "name": "input_1", "inbound_nodes": [],
             "config": {"batch_input_shape": [None, *network.latent], "name": "input_1"}}  # fmt: skip
    inner = network.config(2) | {"name": "sequential_1", "inbound_nodes": [[["input_1", 0, 0, {}]]]}
    model = {"class_name": "Model", "config": {"name": "model_1", "layers": [start, inner]}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model)
        write_named(file.create_group("model_weights"), network, "sequential_1")


def write_arrays(path: Path, network: Network) -> None:
    """A .weights.h5 file of Keras 3, with its architecture beside it."""
    with h5py.File(path, "w") as file:
        write_vars(file, network)
    path.with_name(path.name.replace(".weights.h5", ".json")).write_text(json.dumps(network.config()))


def write_old_arrays(path: Path, network: Network) -> None:
    """What save_weights of Keras 2 writes, with its architecture beside it."""
    with h5py.File(path, "w") as file:
        write_named(file, network)
    path.with_name(path.name.replace("_weights.h5", ".json")).write_text(json.dumps(network.config(2)))


WRITERS = {
    "g.keras": write_archive,
    "g.h5": write_whole,
    "wrapped.h5": write_wrapped,
    "g.weights.h5": write_arrays,
    "g_weights.h5": write_old_arrays,
}
