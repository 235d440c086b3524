"""The tensors of any file of weights: the door that strangers' checkpoints come in by.

A file is told by its first bytes, not by its name. Nothing of it is ever run: torch files are read with
`weights_only=True` after `torch_file` has looked at what they ask for, safetensors by their own library.
`tensor_choice` then finds the generator in it, `parametrisations` folds what torch computes at each call.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.names import shown

from .hub_folder import weight_files
from .parametrisations import fold
from .tensor_choice import Choice, choose
from .torch_file import LEGACY_START, ZIP_START, load_legacy, load_zip

HEAD = 512  # bytes that tell what a file is
HEADER_LIMIT = 16 * 2**20  # bytes of a safetensors header; a network of ten thousand tensors needs one
GROWTH = 4  # float32 from the smallest type that has weights, float8
SPARE = 2**20  # bytes that small files may grow beyond that
SYSTEM = ("/proc", "/sys", "/dev")  # what looks like files there is none
LFS_START = b"version https://git-lfs.github.com/spec/"
COUNTER = "num_batches_tracked"  # of BatchNorm, only used when training
SCALARS = ("_g", "original0")  # lengths of weight norm without an axis
FLOAT = 4  # bytes


@dataclass(frozen=True)
class FoundTensors:
    """The weights of one network: finite float32, contiguous, in the order of the file.

    `tensors` go by their names in the file, less prefixes of wrappers; parametrisations are folded. `key`
    says where in the file they lay, "" for the top level. `notes` are sentences about what was chosen,
    stripped, folded, converted and left aside; `others` name what else `--key` could take, and what it is.
    """

    tensors: dict[str, Tensor]
    key: str
    notes: tuple[str, ...]
    others: tuple[str, ...]


def read_tensors(path: Path, *, key: str | None = None) -> FoundTensors:
    """Return the weights of the generator in the file or folder `path`, on the CPU.

    Torch files (zip archives and the format before 1.6) and safetensors files are read, and folders of a hub
    that hold either. `key` names the part of the file to take, None the generator, an averaged one first.

    Raises UsageError when there is no such file, when `key` is not in it, or when several parts could be the
    generator; ArtifactError when the file is damaged, foreign, would have to be run to be read, claims more
    than it holds, or has weights that are not finite.
    """
    files = _files(path)
    chosen = read_choice(path, key=key)
    weights = {name: value for name, value in chosen.tensors.items() if _is_weight(name, value)}
    limit = GROWTH * sum(file.stat().st_size for file in files) + SPARE
    single = _single(weights, limit, path)
    folded, notes = fold(single, path.name)
    _check_finite(folded, path)
    return FoundTensors(
        folded, chosen.key, (*chosen.notes, *_conversions(chosen.tensors), *notes), chosen.others
    )


def read_choice(path: Path, *, key: str | None = None) -> Choice:
    """Return the tensors of the generator in the file or folder `path` as they lie there, less prefixes of
    wrappers: types and parametrisations are left as they are.

    Raises as `read_tensors` does, but looks at no values.
    """
    parts = [_read(file) for file in _files(path)]
    if len(parts) > 1 and not all(isinstance(part, dict) for part in parts):
        raise ArtifactError(f"{shown(path.name)} has a shard without named tensors.")
    content = parts[0] if len(parts) == 1 else {name: value for part in parts for name, value in part.items()}
    return choose(content, key, shown(path.name))


def _files(path: Path) -> Sequence[Path]:
    return weight_files(path) if os.path.isdir(path) else (path,)  # noqa: PTH112  # whatever the name is


def _read(path: Path) -> Any:
    """What the file `path` holds, by its first bytes; its tensors still lie in the file where they can."""
    try:
        with open_regular(path) as file:
            head = file.read(HEAD)
            if head.startswith(ZIP_START):
                return load_zip(file, path)
            if head.startswith(LEGACY_START):
                return load_legacy(file, path)
            if head[8:9] == b"{":
                return _load_safetensors(path, int.from_bytes(head[:8], "little"))
    except OSError as error:
        raise EdgeError(f"Cannot read {shown(path)}: {error.strerror or error}.") from error
    raise ArtifactError(f"{shown(path.name)} is {_foreign(head)}.")


def open_regular(path: Path) -> BinaryIO:
    """Open the file `path` for reading; links are followed, as the folders of hubs are made of them.

    Raises UsageError when there is none, ArtifactError for pipes, devices, folders and broken links.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if os.path.islink(path):  # noqa: PTH114
            raise ArtifactError(f"{shown(path)} is a link that leads nowhere.") from error
        raise UsageError(f"There is no file {shown(path)}.") from error
    if not stat.S_ISREG(mode) or os.path.realpath(path).startswith(tuple(f"{top}/" for top in SYSTEM)):
        raise ArtifactError(f"{shown(path)} is not a regular file.")
    return open(path, "rb")


def _foreign(head: bytes) -> str:
    """What a file is that begins with `head` and is none of those read here, and what to do about it."""
    if not head:
        return "empty"
    if head.startswith(LFS_START):
        return "a Git LFS pointer, not the file itself. Fetch it: git lfs pull"
    if head.startswith(b"\x89HDF"):
        return "an HDF5 file. If Keras wrote it, give it the ending .h5 or .keras"
    if head[:1] == b"\x80" or head[257:262] == b"ustar":
        return "a pickle or an archive that torch.save did not write, and nothing in it is run here"
    return "no file of weights that is known here: torch.save, safetensors, or a folder of a hub with either"


def _load_safetensors(path: Path, header: int) -> dict[str, Tensor]:
    if header > HEADER_LIMIT:
        raise ArtifactError(f"{shown(path.name)} has a header of {header:,} bytes, which no weights need.")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in getattr(file, "offset_keys", file.keys)()}
    except (SafetensorError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        raise ArtifactError(f"{shown(path.name)} is damaged ({shown(str(error))}).") from error


def _is_weight(name: str, value: Tensor) -> bool:
    """Whether a tensor is one: counters, steps, masks and random states are not."""
    scalar = value.ndim == 0 and not name.endswith(SCALARS)
    return value.is_floating_point() and not scalar and not name.endswith(COUNTER)


def _single(tensors: dict[str, Tensor], limit: int, path: Path) -> dict[str, Tensor]:
    """`tensors` copied as float32, once they are found to claim no more bytes than the file can hold."""
    for name, value in tensors.items():
        plain = value.layout is torch.strided and value.device.type == "cpu" and not value.is_quantized
        if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ArtifactError(f"{shown(path.name)} claims more of {shown(name)} than it holds.")
        limit -= value.numel() * FLOAT
        if limit < 0:
            raise ArtifactError(f"{shown(path.name)} claims more numbers than a file of its size can hold.")
    return {
        name: value.detach().to(torch.float32, memory_format=torch.contiguous_format, copy=True).contiguous()
        for name, value in tensors.items()
    }


def _check_finite(tensors: dict[str, Tensor], path: Path) -> None:
    spoiled = next((name for name, value in tensors.items() if not torch.isfinite(value).all()), None)
    if spoiled is not None:
        raise ArtifactError(f"{shown(path.name)} holds NaN or infinite values in {shown(spoiled)}.")


def _conversions(tensors: dict[str, Tensor]) -> Iterator[str]:
    """What was left aside and what was converted, in sentences."""
    left = [name for name, value in tensors.items() if not _is_weight(name, value)]
    counters = [name for name in left if name.endswith(COUNTER)]
    others = [shown(name) for name in left if not name.endswith(COUNTER)]
    if counters:
        yield f"Left aside: {len(counters)} counters of BatchNorm, which only training uses."
    if others:
        more = " ..." if len(others) > 5 else ""
        yield f"Left aside, as they are no weights: {', '.join(others[:5])}{more}."
    kinds = {
        str(value.dtype).removeprefix("torch.") for name, value in tensors.items() if _is_weight(name, value)
    }
    for kind in sorted(kinds - {"float32"}):
        yield f"Converted from {kind} to float32."
