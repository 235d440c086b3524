"""metrics.jsonl: whole lines, in order, none twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcgan_edge.training.metrics import MetricsLog

LINES = b'{"step": 10}\n{"step": 20}\n{"step": 30}\n'


def reopened(path: Path, content: bytes, step: int) -> bytes:
    """What is left of `content` when a run goes on after `step`."""
    path.write_bytes(content)
    MetricsLog(path, step=step).close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("content", "step", "kept"),
    [
        (LINES, 30, LINES),
        (LINES, 29, LINES[:26]),
        (LINES, 0, b""),
        (LINES + b'{"step": 40', 30, LINES),
        (LINES + b'{"step": 4', 99, LINES),  # half a line of a step that the checkpoint covers cannot be
        (LINES[:-1], 30, LINES[:26]),
        (LINES + b"\x00\x00\xff\n" + LINES, 99, LINES),
        (LINES + b"[1]\n", 99, LINES),
        (LINES + b'{"step": "40"}\n', 99, LINES),
        (b"", 10, b""),
    ],
)
def test_lines_after_the_checkpoint_and_broken_ones_go(
    tmp_path: Path, content: bytes, step: int, kept: bytes
) -> None:
    assert reopened(tmp_path / "metrics.jsonl", content, step) == kept


def test_lines_are_on_the_disk_after_a_flush(tmp_path: Path) -> None:
    path = tmp_path / "new" / "metrics.jsonl"
    with MetricsLog(path, step=0) as log:
        log.append({"step": 1, "loss": 0.5})
        log.flush()
        assert path.read_bytes() == b'{"step": 1, "loss": 0.5}\n'
        log.append({"step": 2})
    assert path.read_bytes().count(b"\n") == 2


def test_what_json_does_not_know_is_not_written(tmp_path: Path) -> None:
    with MetricsLog(tmp_path / "m", step=0) as log, pytest.raises(ValueError, match="JSON"):
        log.append({"loss": float("nan")})
    assert (tmp_path / "m").read_bytes() == b""
