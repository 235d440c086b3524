"""Files that must not be adopted: hostile ones, and honest ones that are no generator. Nothing is written."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.export.foreign import adopt_file
from dcgan_edge.export.foreign.adopt import adopt
from dcgan_edge.export.foreign.adopt_file import read_foreign
from tests import foreign_graphs as graphs
from tests.foreign_graphs import constant, model, node, port, saved


def refused(path: Path, kind: type[EdgeError] = ArtifactError) -> str:
    """The sentence with which `path` is refused, in a second, leaving nothing."""
    out = path.parent / "out"
    started = time.perf_counter()
    with pytest.raises(kind) as error:
        adopt(path, out)
    assert not out.exists()
    assert time.perf_counter() - started < 5
    return str(error.value)


def with_tail(
    *tail: onnx.NodeProto,
    weights: tuple[TensorProto, ...] = (),
    domain: str = "",
    shape: list[None] | None = None,
) -> onnx.ModelProto:
    graph = graphs.generator(tail=list(tail))
    if shape is not None:
        graph.graph.output[0].CopyFrom(port("img", shape))
    graph.graph.initializer.extend(weights)
    if domain:
        graph.opset_import.append(helper.make_opsetid(domain, 1))
    return graph


def looped() -> onnx.NodeProto:
    body = helper.make_graph(
        [node("Identity", ["go"], "on"), node("Identity", ["x"], "y")],
        "body",
        [port("i", [], TensorProto.INT64), port("go", [], TensorProto.BOOL), port("x", [])],
        [port("on", [], TensorProto.BOOL), port("y", [])],
    )
    return node("Loop", ["count", "", "c2"], "img", "spin", body=body)


HALF, YES = constant("half", 0.5, np.float32), constant("yes", True, np.bool_)
ANY = [None, None, None, None]
UNSUPPORTED: dict[str, tuple[onnx.ModelProto, str]] = {
    "another vendor's": (
        with_tail(node("Fancy", ["c2"], "img", "gem", domain="com.example"), domain="com.example"),
        "gem.*com.example",
    ),
    "random": (
        with_tail(node("RandomNormalLike", ["c2"], "e", "noise"), node("Add", ["c2", "e"], "img")),
        "noise",
    ),
    "control flow": (with_tail(looped(), weights=(constant("count", 3),)), "spin"),
    "unknown": (with_tail(node("NoSuch", ["c2"], "img", "odd")), "NoSuch"),
    "sequence": (
        with_tail(
            node("SequenceConstruct", ["c2"], "s", "row"),
            node("ConcatFromSequence", ["s"], "img", axis=0),
        ),
        "row",
    ),
    "training": (
        with_tail(node("Dropout", ["c2", "half", "yes"], "img", "drop"), weights=(HALF, YES)),
        "drop",
    ),
    "too large": (
        with_tail(
            node("Tile", ["c2", "times"], "t", "blow"),
            node("ReduceMean", ["t"], "img"),
            weights=(constant("times", [1, 1, 9_000, 9_000]),),
            shape=ANY,
        ),
        "blow.*GiB",
    ),
    "constant of gigabytes": (
        with_tail(
            node("ConstantOfShape", ["dims"], "k", "void"),
            node("ReduceMax", ["k"], "m"),
            node("Add", ["c2", "m"], "img"),
            weights=(constant("dims", [100_000, 3, 800, 800]),),
        ),
        "void.*GiB",
    ),
    "unknown size": (
        with_tail(
            node("NonZero", ["c2"], "i"), node("Cast", ["i"], "img", to=TensorProto.FLOAT), shape=ANY[:2]
        ),
        "cannot be known",
    ),
    "many images": (
        with_tail(
            node("Add", ["c2", "more"], "img"),
            weights=(constant("more", [[[[0.0]]]] * 5, np.float32),),
            shape=ANY,
        ),
        "img.*5 x 3",
    ),
    "no image": (with_tail(node("ReduceMean", ["c2"], "img", keepdims=0), shape=[]), "img"),
    "not finite": (
        with_tail(node("Div", ["c2", "nothing"], "img"), weights=(constant("nothing", 0, np.float32),)),
        "finite",
    ),
    "one image": (
        with_tail(node("Mul", ["c2", "none"], "img"), weights=(constant("none", 0, np.float32),)),
        "same image",
    ),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_cannot_be_is_refused_with_its_name(tmp_path: Path, case: str) -> None:
    graph, named = UNSUPPORTED[case]
    sentence = refused(saved(graph, tmp_path))
    assert re.search(named, sentence), sentence


def test_inputs_that_are_no_latents_are_refused(tmp_path: Path) -> None:
    graph = graphs.generator()
    graph.graph.input.append(port("psi", []))
    graph.graph.input.append(port("extra", ["n", 3]))
    assert "psi" in refused(saved(graph, tmp_path))
    picture = model([node("Tanh", ["x"], "y")], [port("x", ["n", 3, 8, 8])], [port("y", ["n", 3, 8, 8])], [])
    assert "row of numbers" in refused(saved(picture, tmp_path))


def test_a_class_that_cannot_be_counted_is_asked_for(tmp_path: Path) -> None:
    tail = [node("Cast", ["y"], "f", to=TensorProto.FLOAT), node("Reshape", ["f", "one"], "g")]
    graph = with_tail(*tail, node("Add", ["c2", "g"], "s"), node("Tanh", ["s"], "img"),
                      weights=(constant("one", [-1, 1, 1, 1]),))  # fmt: skip
    graph.graph.input.append(port("y", ["n"], TensorProto.INT64))
    assert "--classes N" in refused(saved(graph, tmp_path), UsageError)


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/hostname", "link", "folder/../../secret", "", "a\0b", "."]
)
def test_weights_outside_the_models_folder_are_not_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(4 * 6 * 3 * 16))
    inside = tmp_path / "model"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path / "secret")
    graph = graphs.generator()
    tensor = next(each for each in graph.graph.initializer if each.name == "w2")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    sentence = refused(saved(graph, inside))
    assert "'w2'" in sentence


@pytest.mark.parametrize(
    "facts",
    [{"length": "99999999999"}, {"offset": "-1"}, {"offset": "100000"}, {"length": "x"}, {"offset": "1e3"}],
)
def test_weights_beyond_the_end_of_their_file_are_refused(tmp_path: Path, facts: dict[str, str]) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(4 * 6 * 3 * 16))
    graph = graphs.generator()
    tensor = next(each for each in graph.graph.initializer if each.name == "w2")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "w.bin", **facts}.items():
        tensor.external_data.add(key=key, value=value)
    assert "'w2'" in refused(saved(graph, tmp_path))


def claims(dims: list[int]) -> onnx.ModelProto:
    graph = graphs.generator()
    del graph.graph.initializer[1].dims[:]
    graph.graph.initializer[1].dims.extend(dims)
    return graph


@pytest.mark.parametrize("dims", [[50_000, 50_000], [-4, 6, 4, 4], [2**62, 2**62], [1]])
def test_weights_that_are_not_there_are_refused(tmp_path: Path, dims: list[int]) -> None:
    assert "'w1'" in refused(saved(claims(dims), tmp_path))


def field(number: int, content: bytes) -> bytes:
    """One field of a message, as protobuf writes it."""
    length, size = bytearray(), len(content)
    while size >= 128:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


def cyclic() -> bytes:
    graph: onnx.ModelProto = with_tail(
        node("Add", ["c2", "b"], "a"), node("Tanh", ["a"], "b"), node("Tanh", ["b"], "img")
    )
    data: bytes = graph.SerializeToString()
    return data


BYTES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"not an ONNX file",
    "cut short": lambda: graphs.generator().SerializeToString()[:-500],
    "only a graph": lambda: helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString(),
    "a million empty nodes": lambda: b"\x3a\x80\x89\x7a" + b"\x0a\x00" * 1_000_000,
    "numbers that grow": lambda: field(7, field(5, field(7, bytes(40_000_000)))),
    "a circle": cyclic,
}


@pytest.mark.parametrize("case", BYTES)
def test_files_that_are_no_model_are_refused(tmp_path: Path, case: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(BYTES[case]())
    refused(path)


def test_a_file_beyond_what_protobuf_holds_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with open(path, "wb") as file:
        file.truncate(10 * 2**30)
    assert "ends at" in refused(path)
    path.unlink()
    os.mkfifo(path)
    assert "not a file" in refused(path, UsageError)
    assert "no file" in refused(tmp_path / "none.onnx", UsageError)


def test_our_own_artifacts_are_not_adopted(tmp_path: Path) -> None:
    (artifact, *_) = adopt(saved(graphs.generator(), tmp_path), tmp_path / "first", precisions=["fp32"])
    assert "already" in refused(artifact.path.rename(tmp_path / "again.onnx"))


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_a_damaged_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, cut: bool
) -> None:
    data = bytearray(graphs.generator().SerializeToString())
    data[place % len(data)] = value
    path = tmp_path_factory.mktemp("damaged") / "model.onnx"
    path.write_bytes(data[: place % len(data)] if cut else data)
    with contextlib.suppress(ArtifactError):
        read_foreign(path)


def test_deep_nesting_is_refused() -> None:
    inner = helper.make_graph([node("Identity", ["a"], "b")], "g", [], [])
    for _ in range(12):
        inner = helper.make_graph([node("If", ["c"], "d", then_branch=inner, else_branch=inner)], "g", [], [])
        if inner.ByteSize() > 100_000:
            break
    with pytest.raises(ArtifactError):
        adopt_file._check_size(helper.make_model(inner).SerializeToString(), "model.onnx")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_hostile_file_takes_neither_time_nor_memory(tmp_path: Path) -> None:
    path = saved(UNSUPPORTED["constant of gigabytes"][0], tmp_path)
    code = (
        "from dcgan_edge.cli import main\n"
        f"try: main(['adopt', {str(path)!r}, '--out', {str(tmp_path / 'out')!r}])\n"
        "except SystemExit as end:\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    print(end.code, *[line.split()[1] for line in lines if line.startswith('VmHWM')])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    exit_code, peak = map(int, ran.stdout.split()[-2:])
    assert exit_code == 6
    assert peak < 2**20, "KiB"
    assert (tmp_path / "out").exists() is False
