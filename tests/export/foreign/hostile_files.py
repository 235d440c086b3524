"""Files that mean harm, each made in one function: what they claim, hide or would run."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dcgan_edge.export.foreign.torch_file import LEGACY_START

TEN_GB = 10 * 10**9
TRACE = "trace"  # the file beside that exists once something of a file was run


class Evil:
    """What calls `function` when it is unpickled as usual."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self._call


def state() -> dict[str, Tensor]:
    """The tensors of a sound generator of 8x8 pixels."""
    return {"0.weight": torch.rand(4, 8, 4, 4), "1.weight": torch.rand(8, 1, 4, 4)}


def _archive(path: Path, pickled: bytes, more: dict[str, bytes] | None = None, way: int = 0) -> None:
    with zipfile.ZipFile(path, "w", way) as archive:
        archive.writestr("g/data.pkl", pickled)
        archive.writestr("g/data/0", bytes(64))
        archive.writestr("g/version", b"3\n")
        for name, content in (more or {}).items():
            archive.writestr(name, content)


def _saved_pickle(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with zipfile.ZipFile(buffer) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))


def _one_tensor(count: int, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    """The pickle of {"0.weight": a tensor} over the storage "0" of `count` numbers."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            return ("storage", torch.FloatStorage, "0", "cpu", count) if value == "the storage" else None

    class Rebuilt:
        def __reduce__(self) -> tuple[Any, ...]:
            return torch._utils._rebuild_tensor_v2, ("the storage", offset, shape, strides, False, {})

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump({"0.weight": Rebuilt()})
    return buffer.getvalue()


def side_effect(path: Path) -> None:
    torch.save({**state(), "x": Evil(eval, f"open({str(path.with_name(TRACE))!r}, 'w')")}, path)


def system_call(path: Path) -> None:
    torch.save({**state(), "x": Evil(os.system, f"touch {path.with_name(TRACE)}")}, path)


def legacy_side_effect(path: Path) -> None:
    evil = Evil(os.mkdir, str(path.with_name(TRACE)))
    torch.save({**state(), "x": evil}, path, _use_new_zipfile_serialization=False)


def bare_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"x": Evil(os.mkdir, str(path.with_name(TRACE)))}, 2))


def memory_by_allowed_names(path: Path) -> None:
    _archive(path, _saved_pickle({"x": Evil(bytearray, TEN_GB), **state()}))


def tensor_by_its_type(path: Path) -> None:
    _archive(path, b"\x80\x02}X\x01\x00\x00\x00actorch\nFloatTensor\n\x8a\x05\x00\xe4\x0bT\x02\x85Rs.")


def huge_storage(path: Path) -> None:
    _archive(path, _one_tensor(TEN_GB, (10**5, 10**5), (10**5, 1)))


def beyond_its_storage(path: Path) -> None:
    _archive(path, _one_tensor(16, (10**5, 10**5), (10**5, 1)))


def expanded(path: Path) -> None:
    _archive(path, _one_tensor(16, (10**6, 10**6), (0, 0)))


def overlapping(path: Path) -> None:
    _archive(path, _one_tensor(16, (10**6, 10**6), (0, 1)))


def negative_size(path: Path) -> None:
    _archive(path, _one_tensor(16, (-4, 4), (4, 1)))


def negative_offset(path: Path) -> None:
    _archive(path, _one_tensor(16, (4, 4), (4, 1), -(2**40)))


def negative_count(path: Path) -> None:
    _archive(path, _one_tensor(-(2**40), (4, 4), (4, 1)))


def legacy_huge_storage(path: Path) -> None:
    torch.save({"0.weight": torch.rand(4, 4)}, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    place = data.index(b"K\x10N")  # 16 numbers, no view
    path.write_bytes(data[:place] + b"\x8a\x05" + TEN_GB.to_bytes(5, "little") + data[place + 2 :])


def names_outside(path: Path) -> None:
    _archive(path, _saved_pickle(state()), {f"g/../../{TRACE}": b"x"})


def absolute_name(path: Path) -> None:
    _archive(path, _saved_pickle(state()), {f"/tmp/{TRACE}": b"x"})


def bomb(path: Path) -> None:
    _archive(path, _saved_pickle(state()), {"g/data/1": bytes(2 * 10**7)}, zipfile.ZIP_DEFLATED)


def endless_pickle(path: Path) -> None:
    _archive(path, b"\x80\x02" + b"N" * 10**6 + b".")


def large_pickle(path: Path) -> None:
    _archive(path, b"\x80\x02" + b"N" * (20 * 2**20) + b".")


def many_files(path: Path) -> None:
    _archive(path, _saved_pickle(state()), {f"g/{n}": b"" for n in range(20_000)})


def circle(path: Path) -> None:
    content: dict[str, Any] = dict(state())
    content["again"] = content
    torch.save(content, path)


def many_paths(path: Path) -> None:
    content: dict[str, Any] = dict(state())
    for _ in range(40):
        content = {"a": content, "b": content}
    torch.save(content, path)


def legacy_without_end(path: Path) -> None:
    with open(path, "wb") as file:
        file.write(LEGACY_START + b"\x80\x02X" + struct.pack("<I", 2**32 - 1))
        file.truncate(TEN_GB)  # nothing of it is on the disk


def header_of_ten_gb(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", TEN_GB) + b'{"a": 1}')


def sparse_header(path: Path) -> None:
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", TEN_GB // 2) + b'{"a": ')
        file.truncate(TEN_GB)


def tensor_of_ten_gb(path: Path) -> None:
    text = b'{"0.weight": {"dtype": "F32", "shape": [50000, 50000], "data_offsets": [0, 10000000000]}}'
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))


def not_finite(path: Path) -> None:
    torch.save({**state(), "1.weight": torch.full((8, 1, 4, 4), float("inf"))}, path)


def cut_short(path: Path) -> None:
    torch.save(state(), path)
    path.write_bytes(path.read_bytes()[:-200])


def legacy_cut_short(path: Path) -> None:
    torch.save(state(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-20])


def old_tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo(f"../{TRACE}"))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_in_a_circle(path: Path) -> None:
    path.symlink_to(path)


def link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def shard_outside(path: Path) -> None:
    path.mkdir()
    torch.save(state(), path.with_name("elsewhere.bin"))
    (path / "pytorch_model.bin.index.json").write_text('{"weight_map": {"0.weight": "../elsewhere.bin"}}')


def shard_of_a_list(path: Path) -> None:
    path.mkdir()
    for name, content in (("a.bin", state()), ("b.bin", [1, 2])):
        torch.save(content, path / name)
    names = {"0.weight": "a.bin", "1.weight": "b.bin"}
    (path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": names}))


def index_that_is_deep(path: Path) -> None:
    path.mkdir()
    (path / "model.safetensors.index.json").write_text("[" * 100_000)


HOSTILE = [
    side_effect, system_call, legacy_side_effect, bare_pickle, memory_by_allowed_names, tensor_by_its_type,
    huge_storage, beyond_its_storage, expanded, overlapping, negative_size, negative_offset, negative_count,
    legacy_huge_storage, names_outside, absolute_name, bomb, endless_pickle, large_pickle, many_files, circle,
    many_paths, legacy_without_end, header_of_ten_gb, sparse_header, tensor_of_ten_gb, not_finite, cut_short,
    legacy_cut_short, old_tar, empty, pipe, link_in_a_circle, link_to_a_device, shard_outside,
    index_that_is_deep, shard_of_a_list,
]  # fmt: skip
