"""Images of many seeds in few files: tar shards as WebDataset reads them, or one NumPy array.

`samples.json` is written first and says what the files are made of. A file is put under its name when it is
whole, so what a run that was cut off has left is known to be right, and is not made again.
"""

from __future__ import annotations

import io
import json
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dcgan_edge.architecture import Architecture
from dcgan_edge.artifact import read_file
from dcgan_edge.classes import Pair
from dcgan_edge.errors import UsageError
from dcgan_edge.files import replacing, write_atomic
from dcgan_edge.images import PixelArray, encode_pngs
from dcgan_edge.runtime.sampling import block_size, pixel_blocks
from dcgan_edge.runtime.session import Session
from dcgan_edge.sampling import Progress, beside, rising_pairs
from dcgan_edge.schema import read_json
from dcgan_edge.seeds import rising

SHARD = 10_000  # images in a tar file, as img2dataset has it
RECORD = 512  # bytes; what everything in a tar file is a multiple of
INDEX = "samples.json"
ARRAY = "images.npy"
Block = tuple[list[Pair], PixelArray]


def write_set(
    session: Session,
    seeds: Sequence[int],
    folder: Path,
    *,
    classes: Sequence[int] | None,
    format: Literal["npy", "webdataset"],
    scale: int,
    batch: int | None,
    progress: Progress | None,
) -> list[Path]:
    """Write the images of `seeds` in `classes` (None: of s modulo their number) into `folder`; return the
    files in order. The images rise by seed, then class.

    Files that are there from an equal request are kept. Raises UsageError for a folder that holds others.
    """
    pairs = rising_pairs(session.manifest.architecture, seeds, classes)
    facts = {
        "schema_version": 1,
        "format": format,
        "images": len(pairs),
        "seeds": str(rising(seeds)),
        "classes": None if classes is None else sorted(set(classes)),
        "scale": scale,
        **_making(session, batch),
    }
    _claim(folder, facts)
    several = classes is not None and len(set(classes)) > 1
    size = SHARD if format == "webdataset" else max(1, len(pairs))
    files = []
    for start in range(0, len(pairs), size):
        part = pairs[start : start + size]
        path = folder / (f"{start // size:05d}.tar" if format == "webdataset" else ARRAY)
        if not path.is_file():
            for left in folder.glob(f".{path.name}.*.tmp"):  # by a run that was killed
                left.unlink(missing_ok=True)
            told = _shifted(progress, start, len(pairs))
            if format == "webdataset":
                _write_shard(session, part, path, several=several, scale=scale, batch=batch, told=told)
            else:
                _write_array(session, part, path, batch=batch, told=told)
        files.append(path)
        if progress:
            progress(start + len(part), len(pairs))
    return files


def _write_shard(
    session: Session, pairs: Sequence[Pair], path: Path, *, several: bool, scale: int, batch: int | None,
    told: Callable[[int], None],
) -> None:  # fmt: skip
    """Write the PNG files of `pairs`, and the class of each as a .cls file, as one tar file."""
    architecture = session.manifest.architecture

    def encode(block: Block) -> tuple[int, bytes]:
        pieces = []
        for pair, picture in zip(
            block[0], encode_pngs(block[1].transpose(0, 3, 1, 2), scale=scale), strict=True
        ):
            pieces.append(_members(architecture, pair, picture, several=several))
        return len(pieces), b"".join(pieces)

    done = 0
    with replacing(path) as write:
        for count, data in beside(encode, pixel_blocks(session, pairs, batch=batch)):
            write(data)
            done += count
            told(done)
        write(b"\0" * 2 * RECORD)


def _members(architecture: Architecture, pair: Pair, picture: bytes, *, several: bool) -> bytes:
    """Return the files of one image as a tar file has them: the same bytes whenever they are made.

    Their name is the seed, followed by the class where a seed occurs in several.
    """
    seed, number = pair
    key = f"{seed:09d}-{number}" if several else f"{seed:09d}"
    files = [(f"{key}.png", picture)]
    if architecture.classes:
        files.append((f"{key}.cls", str(number).encode()))
    data = b""
    for name, content in files:
        member = tarfile.TarInfo(name)  # of nobody, in 1970, and readable by all
        member.size = len(content)
        data += member.tobuf(tarfile.USTAR_FORMAT) + content + b"\0" * (-len(content) % RECORD)
    return data


def _write_array(
    session: Session, pairs: Sequence[Pair], path: Path, *, batch: int | None, told: Callable[[int], None]
) -> None:
    """Write the images of `pairs` as uint8 (n, size, size, channels) that can be memory-mapped."""
    architecture = session.manifest.architecture
    shape = (len(pairs), architecture.size, architecture.size, architecture.channels)
    done = 0
    header = io.BytesIO()
    facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, facts)
    with replacing(path) as write:
        write(header.getvalue())
        for made, images in pixel_blocks(session, pairs, batch=batch):
            write(images.tobytes())
            done += len(made)
            told(done)


def _making(session: Session, batch: int | None) -> dict[str, Any]:
    """Return what the bytes depend on beside the request: what computes, how, and what compresses."""
    facts = session.facts
    return {
        "sha256": session.manifest.sha256,
        "batch": block_size(session.manifest.batch, batch),
        "session": {
            name: getattr(facts, name)
            for name in ("backend", "version", "provider", "device", "device_name", "threads")
        },
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
    }


def _claim(folder: Path, facts: dict[str, Any]) -> None:
    """Write the index into `folder`, or find the same one there. Raises UsageError for other files."""
    index = folder / INDEX
    if index.is_file():
        if read_json(read_file(index), INDEX) != facts:
            raise UsageError(
                f"{folder} holds images of another artifact, other seeds or other options, as {INDEX} says. "
                "Choose another --out, or delete what is there."
            )
        return
    if folder.is_dir() and (any(folder.glob("[0-9]*.tar")) or (folder / ARRAY).exists()):
        raise UsageError(f"{folder} holds images, but no {INDEX} that says of what. Choose another --out.")
    write_atomic(index, json.dumps(facts, indent=2).encode())


def _shifted(progress: Progress | None, start: int, total: int) -> Callable[[int], None]:
    def told(done: int) -> None:
        if progress:
            progress(start + done, total)

    return told
