"""Generators of Keras: read without it, and equal to what Keras makes, by itself and by its definitions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.export.foreign.importing import import_generator
from dcgan_edge.export.foreign.keras import KerasGenerator, read_keras
from dcgan_edge.latents import FloatArray
from dcgan_edge.models.network import Generator
from dcgan_edge.training.checkpoint import load_generator
from tests.export.foreign.keras_files import WRITERS, Network, write_archive
from tests.export.foreign.keras_numpy import evaluate

FIXTURES = Path(__file__).parents[2] / "fixtures" / "keras"
# float32 sums of some hundred terms against float64; a wrong pixel or feature is a thousand times as far off.
CLOSE = 2e-5


def images_of(found: KerasGenerator, latents: FloatArray) -> FloatArray:
    """What our network makes of `latents`, in Keras' order."""
    network = Generator(found.layers, found.latent_dim)
    network.load_state_dict(found.tensors)
    with torch.no_grad():
        made = network.eval()(torch.from_numpy(latents.reshape(len(latents), -1, 1, 1)))
    images: FloatArray = made.numpy().transpose(0, 2, 3, 1)
    return images


def expected_of(found: KerasGenerator, images: FloatArray) -> FloatArray:
    """Keras' images in our range."""
    kinds = {layer.kind for layer in found.layers}
    return images * 2 - 1 if "rescale" in kinds else images.clip(-1, 1) if "clip" in kinds else images


@pytest.mark.parametrize("name", ["functional.keras", "nested.h5"])
def test_files_that_keras_wrote_make_the_images_that_keras_made(name: str) -> None:
    """Written by Keras 3.15.1 on JAX 0.10.2 (KERAS_BACKEND=jax), h5py 3.16.0, with random weights:

    functional: Dense(100), BatchNormalization, LeakyReLU(0.2), Reshape(5, 5, 4),
        Conv2DTranspose(3, 5, strides=2, padding="same"), tanh, as keras.Model
    nested: a Sequential in a keras.Model: Dense(96, "relu"), Reshape(4, 4, 6), UpSampling2D, Conv2D(6, 3),
        BatchNormalization(momentum=0.8), ReLU, UpSampling2D("bilinear"), Conv2D(5, 4),
        BatchNormalization(scale=False), ELU, Dropout, Conv2D(3, 3), sigmoid, all "same"

    Beside each: two latents from N(0, 1) and `model(latents, training=False)`.
    """
    found = read_keras(FIXTURES / name)
    with np.load(FIXTURES / f"{name.partition('.')[0]}.npz") as real:
        images = images_of(found, real["latents"])
        expected = expected_of(found, real["images"])
    assert expected.std() > 0.4  # saturated or empty images would agree whatever was read
    assert images.shape == expected.shape
    assert np.abs(images - expected).max() < CLOSE


def tutorial() -> Network:
    """TensorFlow's DCGAN tutorial, narrower."""
    network = Network((10,)).dense(7 * 7 * 4, use_bias=False).norm().add("LeakyReLU", {"negative_slope": 0.3})
    network.reshape(7, 7, 4).conv("Conv2DTranspose", 4, 5, 1, use_bias=False).norm()
    network.add("LeakyReLU", {"alpha": 0.3}).conv("Conv2DTranspose", 3, 5, 2, use_bias=False).norm()
    network.add("LeakyReLU", {"negative_slope": 0.3})
    return network.conv("Conv2DTranspose", 1, 5, 2, activation="tanh")


def usual() -> Network:
    """The listing behind the preset `dcgan-upsample`, with Keras' own defaults."""
    network = Network((6,)).dense(8 * 8 * 4).add("ReLU", {}).reshape(8, 8, 4).upsample().conv("Conv2D", 4, 3)
    network.norm().add("ReLU", {}).upsample().conv("Conv2D", 3, 3).norm().add("ReLU", {})
    return network.conv("Conv2D", 3, 3, activation="tanh")


def simple() -> Network:
    """The paper's shape: from 1x1 by transposed convolutions."""
    network = Network((1, 1, 6)).conv("Conv2DTranspose", 5, 4, padding="valid", use_bias=False).norm()
    network.add("ReLU", {}).conv("Conv2DTranspose", 4, 4, 2, use_bias=False).norm().add("ReLU", {})
    return network.conv("Conv2DTranspose", 1, 4, 2, activation="tanh")


def upsampling() -> Network:
    network = (
        Network((6,)).dense(4 * 4 * 5, activation="relu").reshape(4, 4, 5).upsample().conv("Conv2D", 4, 3)
    )
    network.norm(momentum=0.8).add("Activation", {"activation": "relu"}).upsample(2, "bilinear")
    network.conv("Conv2D", 4, 4).add("Dropout", {"rate": 0.3}).norm(epsilon=1e-5).add(
        "ReLU", {"max_value": None}
    )
    return network.conv("Conv2D", 3, 3).add("Activation", {"activation": "sigmoid"})


def transposed() -> Network:
    network = Network((1, 1, 6)).conv("Conv2DTranspose", 5, 4, padding="valid").norm(axis=[3])
    network.conv("Conv2DTranspose", 4, 3, 2, activation="silu").conv(
        "Conv2DTranspose", 4, 2, 2, padding="valid"
    )
    return network.conv("Conv2D", 4, 5, 2, activation="elu").conv(
        "Conv2DTranspose", 1, 7, 2, activation="tanh"
    )


def dense() -> Network:
    network = Network((6,)).dense(16).add("LeakyReLU", {"alpha": 0.2}).norm(momentum=0.8)
    return network.dense(8 * 8 * 3, activation="tanh").reshape(8, 8, 3)


def flattened() -> Network:
    network = (
        Network((6,)).dense(4 * 4 * 3, activation="leaky_relu").norm().reshape(4, 4, 3).conv("Conv2D", 2, 3)
    )
    return (
        network.flatten(32)
        .norm()
        .dense(8 * 8 * 2, activation="tanh")
        .norm()
        .reshape(8, 8, 2)
        .conv("Conv2D", 3, 2, padding="same", activation="tanh")
    )


NETWORKS = {each.__name__: each for each in (tutorial, upsampling, transposed, dense, flattened)}


@pytest.mark.parametrize("file", WRITERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_layout_makes_the_images_of_the_definition(tmp_path: Path, name: str, file: str) -> None:
    network = NETWORKS[name]()
    WRITERS[file](tmp_path / file, network)
    found = read_keras(tmp_path / file)
    latents = np.random.default_rng(1).normal(size=(2, *network.latent)).astype(np.float32)
    images = images_of(found, latents)
    expected = expected_of(found, evaluate(network.layers, latents))
    assert expected.std() > 0.1
    assert images.shape == expected.shape == (2, found.size, found.size, found.channels)
    assert np.abs(images - expected).max() < CLOSE


def test_keras_2_12_called_its_layers_otherwise(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.keras", dense())
    write_archive(tmp_path / "b.keras", dense(), "_layer_checkpoint_dependencies")
    one, other = read_keras(tmp_path / "a.keras"), read_keras(tmp_path / "b.keras")
    assert one.layers == other.layers
    assert all(torch.equal(value, other.tensors[name]) for name, value in one.tensors.items())


@pytest.mark.parametrize("file", ["g.weights.h5", "g_weights.h5"])
@pytest.mark.parametrize("name", ["tutorial", "usual", "simple"])
def test_usual_architectures_are_assumed_where_none_is_there(tmp_path: Path, name: str, file: str) -> None:
    network = {"tutorial": tutorial, "usual": usual, "simple": simple}[name]()
    WRITERS[file](tmp_path / file, network)
    known = read_keras(tmp_path / file)
    (tmp_path / "g.json").unlink()
    assumed = read_keras(tmp_path / file)
    assert (known.assumptions, assumed.layers) == ((), known.layers)
    assert all(torch.equal(value, assumed.tensors[name]) for name, value in known.tensors.items())
    assert str(known.size) in assumed.assumptions[0]


def test_what_was_assumed_stays_with_the_checkpoint(tmp_path: Path) -> None:
    WRITERS["g.weights.h5"](tmp_path / "g.weights.h5", tutorial())
    (tmp_path / "g.json").unlink()
    imported = import_generator(tmp_path / "g.weights.h5", tmp_path / "out")
    assumed = read_keras(tmp_path / "g.weights.h5").assumptions
    assert set(assumed) < set(imported.assumptions)
    assert load_generator(imported.checkpoint)[1].origin == imported.spec.origin
    kinds = {row.name: (row.shape, row.kind) for row in imported.tensors}
    assert kinds["conv2d_transpose_2.kernel"] == ((5, 5, 1, 3), "conv_transpose")
    assert kinds["batch_normalization.moving_mean"] == ((196,), "batch_norm")


def test_arrays_alone_ask_for_their_architecture(tmp_path: Path) -> None:
    WRITERS["g.weights.h5"](tmp_path / "g.weights.h5", dense())
    (tmp_path / "g.json").unlink()
    with pytest.raises(ArtifactError, match=r"g\.json"):
        read_keras(tmp_path / "g.weights.h5")


def latents_as_images() -> Network:
    return Network((12,)).reshape(2, 2, 3).conv("Conv2D", 3, 3)


REFUSED: dict[str, Callable[[], Network]] = {
    "Lambda": lambda: dense().add("Lambda", {"function": "anything"}),
    "Concatenate": lambda: dense().add("Concatenate", {"axis": -1}),
    "PReLU": lambda: dense().add("PReLU", {}),
    "softmax": lambda: dense().add("Activation", {"activation": "softmax"}),
    "largest value": lambda: dense().add("ReLU", {"max_value": 6.0}),
    "axis": lambda: dense().norm(axis=1),
    "dilated": lambda: dense().conv("Conv2D", 3, 3, dilation_rate=[2, 2]),
    "channels_first": lambda: dense().conv("Conv2D", 3, 3, data_format="channels_first"),
    "both axes": lambda: dense().conv("Conv2D", 3, 3, strides=[1, 2]),
    "groups": lambda: dense().conv("Conv2D", 3, 3, groups=3),
    "latents": latents_as_images,
    "square": lambda: Network((6,)).dense(24).reshape(2, 4, 3),
    "Reshape layer": lambda: Network((6,)).dense(24).conv("Conv2D", 3, 3),
    "shape": lambda: Network((6,)).add("Dense", {"units": 9}, [np.ones((5, 9), np.float32)]).reshape(3, 3, 1),
    "missing": lambda: Network((6,)).add("Dense", {"units": 12}).reshape(2, 2, 3),
    "NaN": lambda: Network((6,)).add(
        "Dense", {"units": 12, "use_bias": False}, [np.full((6, 12), np.nan, np.float32)]
    ).reshape(2, 2, 3),
    "units": lambda: Network((6,)).add("Dense", {"units": -3}).reshape(2, 2, 3),
    "fit": lambda: Network((6,)).dense(12).reshape(2, 2, 4),
}  # fmt: skip


@pytest.mark.parametrize("word", REFUSED)
def test_what_is_not_the_same_here_is_refused_by_name(tmp_path: Path, word: str) -> None:
    write_archive(tmp_path / "g.keras", REFUSED[word]())
    with pytest.raises(ArtifactError, match=word):
        read_keras(tmp_path / "g.keras")


@pytest.mark.parametrize(
    "entry",
    [
        {"module": "my_package.layers", "class_name": "Noise", "registered_name": None},
        {"module": "keras.layers", "class_name": "Noise", "registered_name": "Custom>Noise"},
        {"module": "builtins", "class_name": "function", "registered_name": "function"},
    ],
)
def test_custom_classes_are_refused_by_name(tmp_path: Path, entry: dict[str, Any]) -> None:
    config = dense().config()
    config["config"]["layers"].append({**entry, "config": {"name": "own"}})
    write_archive(tmp_path / "g.keras", dense(), **config)
    with pytest.raises(ArtifactError, match=r"Noise|function"):
        read_keras(tmp_path / "g.keras")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A sound file of each layout."""
    folder = tmp_path_factory.mktemp("keras")
    for name in ("g.keras", "g.h5"):
        WRITERS[name](folder / name, dense())
    return {path.name: path.read_bytes() for path in folder.glob("g.*")}


@given(
    name=st.sampled_from(["g.keras", "g.h5"]),
    changes=st.lists(st.tuples(st.integers(0, 40_000), st.binary(max_size=8)), min_size=1, max_size=4),
    end=st.one_of(st.none(), st.integers(0, 60_000)),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changed_files_are_read_or_refused(
    tmp_path: Path, sound: dict[str, bytes], name: str, changes: list[tuple[int, bytes]], end: int | None
) -> None:
    data = bytearray(sound[name])
    for place, piece in changes:
        data[place : place + len(piece)] = piece
    (tmp_path / name).write_bytes(data[:end])
    try:
        found = read_keras(tmp_path / name)
    except ArtifactError:
        return
    assert all(torch.isfinite(value).all() for value in found.tensors.values())


def test_no_file_is_a_usage_error(tmp_path: Path) -> None:
    for name in ("none.keras", "a\0b.h5", "a" * 300 + ".h5"):
        with pytest.raises(UsageError):
            read_keras(tmp_path / name)
