"""Hostile files of Keras: links, claims and archives; nothing is followed, unpacked or believed."""

from __future__ import annotations

import json
import os
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from dcgan_edge.errors import ArtifactError
from dcgan_edge.export.foreign.keras import read_keras
from tests.export.foreign.keras_files import Network, write_archive, write_named

SECONDS = 5.0
GIBIBYTE = 2**30
HUGE = (100_000, 100_000)
KERNEL = "model_weights/dense/dense/kernel:0"


def network() -> Network:
    return Network((6,)).dense(12, activation="tanh").reshape(2, 2, 3)


def whole(path: Path) -> h5py.File:
    """A sound file of Keras 2, open to be spoiled."""
    file = h5py.File(path, "w")
    file.attrs["model_config"] = json.dumps(network().config(2))
    write_named(file.create_group("model_weights"), network())
    return file


def replaced(path: Path, make: Callable[[h5py.File], object]) -> None:
    with whole(path) as file:
        del file[KERNEL]
        make(file)


def external_link(path: Path) -> None:
    with whole(path.with_name("other.h5")):
        pass
    replaced(path, lambda file: file.__setitem__(KERNEL, h5py.ExternalLink("other.h5", f"/{KERNEL}")))


def soft_link(path: Path) -> None:
    replaced(path, lambda file: file.__setitem__(KERNEL, h5py.SoftLink(f"/{KERNEL}")))


def soft_link_of_a_group(path: Path) -> None:
    replaced(path, lambda file: file.__setitem__("model_weights/again", h5py.SoftLink("/model_weights")))


def circle(path: Path) -> None:
    replaced(path, lambda file: file["model_weights"].__setitem__("again", file["model_weights"]))


def never_written(path: Path) -> None:
    replaced(path, lambda file: file.create_dataset(KERNEL, HUGE, "f4"))


def chunks_never_written(path: Path) -> None:
    replaced(path, lambda file: file.create_dataset(KERNEL, HUGE, "f4", chunks=(1000, 1000)))


def compressed(path: Path) -> None:
    zeros = np.zeros((6, 10**6), np.float32)
    replaced(path, lambda file: file.create_dataset(KERNEL, data=zeros, compression="gzip"))


def in_another_file(path: Path) -> None:
    raw = path.with_name("raw")
    raw.write_bytes(bytes(6 * 12 * 4))
    replaced(
        path, lambda file: file.create_dataset(KERNEL, (6, 12), "f4", external=[(str(raw), 0, 6 * 12 * 4)])
    )


def virtual(path: Path) -> None:
    layout = h5py.VirtualLayout((6, 12), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (6, 12))
    replaced(path, lambda file: file.create_virtual_dataset(KERNEL, layout))


def deep_groups(path: Path) -> None:
    replaced(path, lambda file: file.create_group("model_weights/" + "/".join("a" * 100)))


def many_groups(path: Path) -> None:
    replaced(path, lambda file: [file.create_group(f"model_weights/{n}") for n in range(5_000)])


def deep_configuration(path: Path) -> None:
    with whole(path) as file:
        file.attrs["model_config"] = '{"class_name":' * 5_000 + "1" + "}" * 5_000


def models_within_models(path: Path) -> None:
    config = network().config()
    for _ in range(8):
        config = {"class_name": "Sequential", "config": {"name": "s", "layers": [config]}}
    write_archive(path, network(), **config)


def a_thousand_layers(path: Path) -> None:
    many = network()
    for _ in range(1000):
        many.add("ReLU", {})
    write_archive(path, many)


def cyclic_layers(path: Path) -> None:
    names = ["a", "b"]
    layers = [
        {"class_name": "ReLU", "config": {"name": name}, "name": name, "inbound_nodes": [[[other, 0, 0, {}]]]}
        for name, other in (names, names[::-1])
    ]
    write_archive(path, network(), class_name="Functional", config={"name": "m", "layers": layers})


def names_outside(path: Path) -> None:
    write_archive(path, network())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../trace", b"x")


def bomb(path: Path) -> None:
    write_archive(path, network())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/x", bytes(10**7), zipfile.ZIP_DEFLATED)


def not_an_archive_of_keras(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")


def huge_layer(path: Path) -> None:
    write_archive(
        path, Network((6,)).add("Dense", {"units": 2**24, "use_bias": False}).reshape(4096, 4096, 1)
    )


def huge_latents(path: Path) -> None:
    write_archive(path, Network((2**40,)).reshape(1, 2**40, 1))


def huge_flatten(path: Path) -> None:
    grown = network().upsample(16).upsample(16).upsample(16)
    write_archive(path, grown.add("Flatten", {}))


def pipe(path: Path) -> None:
    os.mkfifo(path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


HOSTILE = [
    external_link, soft_link, soft_link_of_a_group, circle, never_written, chunks_never_written, compressed,
    in_another_file, virtual, deep_groups, many_groups, deep_configuration, models_within_models,
    a_thousand_layers, cyclic_layers, names_outside, bomb, not_an_archive_of_keras, huge_layer, huge_latents,
    huge_flatten, pipe, empty,
]  # fmt: skip


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: str(make.__name__))
def test_a_hostile_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "g.keras"
    make(path)
    before = sorted(tmp_path.rglob("*"))
    start, peak = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ArtifactError) as refusal:
        read_keras(path)
    assert time.perf_counter() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024 < GIBIBYTE
    assert len(str(refusal.value)) < 1000
    assert sorted(tmp_path.rglob("*")) == before


def test_the_file_that_is_spoiled_is_sound(tmp_path: Path) -> None:
    with whole(tmp_path / "g.h5"):
        pass
    assert read_keras(tmp_path / "g.h5").size == 2
