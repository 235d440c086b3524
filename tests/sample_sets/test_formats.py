from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from dcgan_edge.sampling import sample_to_folder
from tests.doubles import ArithmeticSession
from tests.sample_sets.test_writing import NAMES, write

parquet = pytest.importorskip("pyarrow.parquet")


def test_parquet_has_the_files_of_png_and_the_classes(tmp_path: Path) -> None:
    session = ArithmeticSession(classes=NAMES)
    files = write(session, range(3, 48), tmp_path / "sets", "parquet", classes=(0, 2))
    assert [path.name for path in files] == [f"0000{n}.parquet" for n in range(5)]
    rows = [row for path in files for row in parquet.read_table(path).to_pylist()]
    assert [(row["seed"], row["class"]) for row in rows] == [(s, c) for s in range(3, 48) for c in (0, 2)]
    pictures = sample_to_folder(session, range(3, 48), tmp_path / "png", classes=(0, 2))
    assert [row["image"] for row in rows] == [path.read_bytes() for path in pictures]
    assert Image.open(io.BytesIO(rows[0]["image"])).size == (4, 4)


def test_parquet_is_laid_out_for_readers_of_few_rows(tmp_path: Path) -> None:
    (path,) = write(ArithmeticSession(), range(2**64 - 2500, 2**64), tmp_path, "parquet", per_file=10_000)
    facts = parquet.ParquetFile(path)
    assert [facts.metadata.row_group(n).num_rows for n in range(facts.num_row_groups)] == [1000, 1000, 500]
    assert facts.schema_arrow.names == ["seed", "image"]
    assert not any(field.nullable for field in facts.schema_arrow)
    last = facts.read_row_group(2, columns=["seed"]).column("seed")[-1].as_py()
    assert last == 2**64 - 1
    column = facts.metadata.row_group(1).column(0)
    assert (column.compression, column.statistics.min, column.statistics.max) == (
        "UNCOMPRESSED", 2**64 - 1500, 2**64 - 501,
    )  # fmt: skip
