"""The content of one file of a set: a tar file as WebDataset reads it, a Parquet file, or a NumPy array.

Images are made, encoded by other threads and written as they come. Equal images give equal bytes, where zlib
and, for Parquet, pyarrow are the same.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dcgan_edge.classes import Pair
from dcgan_edge.images import PixelArray, encode_pngs
from dcgan_edge.runtime.sampling import pixel_blocks
from dcgan_edge.runtime.session import Session
from dcgan_edge.sample_sets.plan import SamplePlan
from dcgan_edge.sample_sets.stores import Write
from dcgan_edge.sampling import beside

if TYPE_CHECKING:
    import pyarrow

RECORD = 512  # bytes; what everything in a tar file is a multiple of
ROWS = 1000  # of a row group: what a reader of Parquet has in memory
Block = tuple[list[Pair], PixelArray]
Told = Callable[[int], None]


def write_content(write: Write, session: Session, plan: SamplePlan, number: int, told: Told) -> None:
    """Hand the content of file `number` of `plan` to `write`, piece by piece.

    `told` is called with the number of its images done. Raises EdgeError for images with NaN.
    """
    pairs = plan.pairs_of(number)
    if plan.format == "npy":
        _write_array(write, session, plan, pairs, told)
    elif plan.format == "parquet":
        _write_parquet(write, session, plan, pairs, told)
    else:
        _write_tar(write, session, plan, pairs, told)


def _encoded(
    session: Session, plan: SamplePlan, pairs: Sequence[Pair]
) -> Iterator[tuple[list[Pair], list[bytes]]]:
    """Yield the pairs of a call and their PNG files, in order."""

    def encode(block: Block) -> tuple[list[Pair], list[bytes]]:
        return block[0], encode_pngs(block[1].transpose(0, 3, 1, 2), scale=plan.scale)

    return beside(encode, _rising_blocks(session, plan, pairs))


def _rising_blocks(session: Session, plan: SamplePlan, pairs: Sequence[Pair]) -> Iterator[Block]:
    """Yield pairs and pixels in rising order, also where a block of seeds takes a call for each class."""
    calls: list[Block] = []  # of the same seeds; the first has all of them
    for block in pixel_blocks(session, pairs, batch=plan.batch):
        if calls and block[0][0][0] > calls[0][0][-1][0]:
            yield _joined(calls)
            calls = []
        calls.append(block)
    if calls:
        yield _joined(calls)


def _joined(calls: list[Block]) -> Block:
    if len(calls) == 1:
        return calls[0]
    made = [pair for pairs, _ in calls for pair in pairs]
    order = sorted(range(len(made)), key=made.__getitem__)
    return [made[place] for place in order], np.concatenate([pixels for _, pixels in calls])[order]


def _write_tar(write: Write, session: Session, plan: SamplePlan, pairs: Sequence[Pair], told: Told) -> None:
    """Write the PNG file of each pair, and its class as a .cls file.

    Their name is the seed, followed by the class where a seed occurs in several.
    """
    done = 0
    for made, pictures in _encoded(session, plan, pairs):
        data = []
        for (seed, label), picture in zip(made, pictures, strict=True):
            key = f"{seed:09d}-{label}" if plan.several else f"{seed:09d}"
            data.append(_member(f"{key}.png", picture))
            if plan.architecture.classes:
                data.append(_member(f"{key}.cls", str(label).encode()))
        write(b"".join(data))
        done += len(made)
        told(done)
    write(b"\0" * 2 * RECORD)


def _member(name: str, content: bytes) -> bytes:
    """Return a file as a tar file has it: of nobody, in 1970, and readable by all."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member.tobuf(tarfile.USTAR_FORMAT) + content + b"\0" * (-len(content) % RECORD)


def _write_parquet(
    write: Write, session: Session, plan: SamplePlan, pairs: Sequence[Pair], told: Told
) -> None:
    """Write a row for each pair: its seed, its PNG file and, where there are classes, its class.

    Everything that pyarrow could choose by itself is said, row groups and compression above all.
    """
    import pyarrow
    import pyarrow.parquet

    schema = _schema(bool(plan.architecture.classes))
    rows: list[tuple[int, bytes, int]] = []
    done = 0
    with pyarrow.parquet.ParquetWriter(
        pyarrow.PythonFile(_Sink(write), mode="w"), schema, version="2.6", data_page_version="1.0",
        compression="none", use_dictionary=False, write_statistics=["seed"], write_batch_size=ROWS,
    ) as file:  # fmt: skip
        for made, pictures in _encoded(session, plan, pairs):
            rows += [(*pair[:1], picture, pair[1]) for pair, picture in zip(made, pictures, strict=True)]
            while len(rows) >= ROWS:
                file.write_table(_table(rows[:ROWS], schema), row_group_size=ROWS)
                del rows[:ROWS]
            done += len(made)
            told(done)
        if rows:
            file.write_table(_table(rows, schema), row_group_size=ROWS)


def _schema(classes: bool) -> pyarrow.Schema:
    """Return the columns `seed`, `image` and, with `classes`, `class`: none of them is ever empty."""
    import pyarrow

    columns = [("seed", pyarrow.uint64()), ("image", pyarrow.binary()), ("class", pyarrow.int32())]
    return pyarrow.schema(
        [pyarrow.field(name, kind, nullable=False) for name, kind in columns[: 2 + classes]]
    )


def _table(rows: Sequence[tuple[int, bytes, int]], schema: Any) -> pyarrow.Table:
    import pyarrow

    columns = list(zip(*rows, strict=True))
    arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=False)]
    return pyarrow.Table.from_arrays(arrays, schema=schema)


class _Sink(io.RawIOBase):
    """A file that can only be written on, as pyarrow wants one, before a function that takes pieces."""

    def __init__(self, write: Write) -> None:
        self._write, self._place = write, 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._write(piece)
        self._place += len(piece)
        return len(piece)


def _write_array(write: Write, session: Session, plan: SamplePlan, pairs: Sequence[Pair], told: Told) -> None:
    """Write the images of `pairs` as uint8 (n, size, size, channels) that can be memory-mapped."""
    size, channels = plan.architecture.size, plan.architecture.channels
    head = io.BytesIO()
    facts = {"descr": "|u1", "fortran_order": False, "shape": (len(pairs), size, size, channels)}
    np.lib.format.write_array_header_1_0(head, facts)
    write(head.getvalue())
    done = 0
    for made, images in _rising_blocks(session, plan, pairs):
        write(images.tobytes())
        done += len(made)
        told(done)
