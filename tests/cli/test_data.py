from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dcgan_edge.cli import main
from dcgan_edge.cli.data import NAMES
from dcgan_edge.data import fetch_sources
from dcgan_edge.data.fetch_sources import MNIST, SOURCES, RemoteFile
from tests.file_server import Served, Server, serve

FILES = {"train-images-idx3-ubyte.gz": b"images", "train-labels-idx1-ubyte.gz": b"labels"}
TOY = replace(
    MNIST,
    files=tuple(
        RemoteFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()
    ),
    mirrors=("http://127.0.0.1:1/",),
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    pytest.importorskip("pooch")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setitem(fetch_sources.SOURCES, "mnist", TOY)
    with serve() as server:
        server.files = {f"mnist/{name}": Served(data) for name, data in FILES.items()}
        yield server


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, ["data", *map(str, arguments)])


@pytest.mark.parametrize("name", ["fetch", "prepare"])
def test_help_has_an_example(name: str) -> None:
    answer = run(name, "--help")
    assert answer.exit_code == 0
    assert f"dcgan-edge data {name} " in answer.output


def test_the_names_are_those_of_the_table() -> None:
    assert tuple(SOURCES) == NAMES


def test_fetch_says_what_came_and_how_to_train_on_it(server: Server, tmp_path: Path) -> None:
    answer = run("fetch", "mnist", "--out", tmp_path / "m", "--mirror", server.url + "mnist")
    assert answer.exit_code == 0
    assert f"train-images-idx3-ubyte.gz: SHA-256 ok, {server.url}mnist/train-images-idx3" in answer.output
    assert "terms: CC BY-SA 3.0" in answer.output
    assert f"dcgan-edge train --data {tmp_path / 'm'}" in answer.output
    assert (tmp_path / "m" / "train-labels-idx1-ubyte.gz").read_bytes() == b"labels"


def test_fetch_prints_one_json_document(server: Server, tmp_path: Path) -> None:
    answer = run("fetch", "mnist", "--out", tmp_path, "--mirror", server.url + "mnist", "--json")
    document = json.loads(answer.stdout)
    assert (document["schema_version"], document["source"], document["folder"]) == (1, "mnist", str(tmp_path))
    assert [file["name"] for file in document["files"]] == list(FILES)
    assert answer.stderr.strip() == ""


def test_mirrors_come_from_the_environment(server: Server, tmp_path: Path) -> None:
    mirrors = f"{server.url}nothing/ {server.url}{{set}}"
    answer = run("fetch", "mnist", "--out", tmp_path, "--json", DCGAN_EDGE_MIRROR=mirrors)
    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["files"][1]["url"] == server.url + "mnist/train-labels-idx1-ubyte.gz"


def test_a_mirror_of_the_command_line_wins(server: Server, tmp_path: Path) -> None:
    options = ("--out", tmp_path, "--mirror", server.url + "mnist")
    assert run("fetch", "mnist", *options, DCGAN_EDGE_MIRROR=server.url + "nothing").exit_code == 0
    assert all("nothing" not in path for path, _ in server.requests)


def test_failures_have_exit_codes_and_sentences(server: Server, tmp_path: Path) -> None:
    answer = run("fetch", "mnist", "--out", tmp_path, "--mirror", server.url)
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert f"Tried {server.url}train-images-idx3-ubyte.gz: its answer is 404 Not Found" in answer.stderr
    answer = run("fetch", "mnist", "--out", tmp_path, "--retries", "0")  # the table's own mirror
    assert (answer.exit_code, "http://127.0.0.1:1/train-images" in answer.stderr) == (1, True)
    answer = run("fetch", "mnist", "--out", tmp_path, "--mirror", "nowhere", "--json")
    assert answer.exit_code == 2
    assert json.loads(answer.stdout)["error"]["exit_code"] == 2
    assert run("fetch", "imagenet", "--out", tmp_path).exit_code == 2


def test_celeba_says_what_to_do_by_hand(tmp_path: Path) -> None:
    answer = run("fetch", "celeba", "--out", tmp_path)
    assert answer.exit_code == 1
    assert "img_align_celeba.zip" in answer.stderr
    assert "CelebA.html" in answer.stderr


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        pixels = np.random.default_rng(seed // 2).integers(0, 256, (30, 20, 3), np.uint8)  # 0 and 1 are equal
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    (folder / "3.jpg").write_bytes(b"no picture")
    return folder


def test_prepare_says_what_it_found(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "photos.npy"
    answer = run("prepare", photos, "--size", "16", "--out", out, "--drop", "exact")
    assert answer.exit_code == 0
    for line in (
        f"2 of 4 pictures in {out}, 3 x 16 x 16",
        "1 cannot be read\n  3.jpg: not a picture",
        "1 equal to an earlier one\n  1.png = 0.png",
        "1 of these were left out",
        f"dcgan-edge train --data {out} --out runs/photos",
    ):
        assert line in answer.output


def test_prepare_prints_one_json_document(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "photos.npy"
    answer = run("prepare", photos, "--size", "16", "--out", out, "--json")
    document = json.loads(answer.stdout)
    assert (document["out"], document["count"], document["dropped"]) == (str(out), 3, 0)
    assert document["findings"]["exact"] == [{"file": "1.png", "earlier": "0.png", "distance": None}]
    assert document["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert answer.stderr.strip() == ""


def test_prepare_refuses_what_it_cannot_do(photos: Path, tmp_path: Path) -> None:
    assert run("prepare", tmp_path / "nowhere", "--size", "16", "--out", tmp_path / "x.npy").exit_code == 2
    assert run("prepare", photos, "--size", "16", "--out", tmp_path / "x.npz").exit_code == 2
    assert run("prepare", photos, "--size", "0", "--out", tmp_path / "x.npy").exit_code == 2


@pytest.mark.torch
def test_train_takes_its_size_and_channels_from_the_file(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "photos.npy"
    run("prepare", photos, "--size", "32", "--channels", "1", "--out", out)
    answer = CliRunner().invoke(
        main, ["train", "--data", str(out), "--out", str(tmp_path / "run"), "--dry-run", "--json"]
    )
    assert answer.exit_code == 0
    architecture = json.loads(answer.stdout)["config"]["architecture"]
    assert (architecture["size"], architecture["channels"]) == (32, 1)
