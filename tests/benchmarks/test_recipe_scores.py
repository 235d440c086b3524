"""`python -m benchmarks.recipe_scores`: what was trained is scored, with classes too, and kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import digit_scores
from benchmarks.recipe_scores import main


def test_a_run_is_trained_scored_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digit_scores, "SAMPLES", 500)
    words = ["--minutes", "0.0001", "--runs", "1", "--conditional", "--out", str(tmp_path)]
    tables = [CliRunner().invoke(main, words, catch_exceptions=False).stdout for _ in range(2)]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in tables[0].splitlines()]
    assert [row[1] for row in rows[3:]] == ["1", ""]  # a single step, then the mean
    fid = {row[0]: float(row[2]) for row in rows[2:]}
    assert 0.0 <= fid["real images"] < min(value for name, value in fid.items() if name != "real images")
    assert tables[1] == tables[0]  # nothing is trained twice
