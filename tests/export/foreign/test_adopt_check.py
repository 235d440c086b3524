"""The process that looks at a strange file first, and what is said when it dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcgan_edge.errors import ArtifactError
from dcgan_edge.export.foreign import adopt_check
from dcgan_edge.export.foreign.adopt import adopt
from dcgan_edge.export.foreign.adopt_check import check_in_child
from dcgan_edge.export.foreign.adopt_ports import Asked
from tests import foreign_graphs as graphs
from tests.foreign_graphs import constant, node, saved


def test_what_makes_the_library_die_is_refused(tmp_path: Path) -> None:
    # Slicing an axis of a negative size: an assertion in ONNX's shape inference ends the process. A later
    # version may refuse it in words, which is as good.
    tail = [node("Slice", ["c2", "start", "end"], "s"), node("Tanh", ["s"], "img")]
    graph = graphs.generator(tail=tail)
    graph.graph.initializer.extend([constant("start", [0]), constant("end", [99])])
    pads = next(item for item in graph.graph.node[4].attribute if item.name == "pads")
    pads.ints[:] = [2**40, 2**40, 2**40, 2**40]
    path = saved(graph, tmp_path)
    with pytest.raises(ArtifactError):
        adopt(path, tmp_path / "out")


def test_an_honest_file_and_a_refusal_in_words_pass(tmp_path: Path) -> None:
    check_in_child(saved(graphs.generator(), tmp_path), Asked())
    (tmp_path / "text.onnx").write_text("not an ONNX file")
    check_in_child(tmp_path / "text.onnx", Asked())
    check_in_child(tmp_path / "none.onnx", Asked())


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.abort()", "SIGABRT"),
        ("raise MemoryError", "exit code 1"),
        ("while True: pass", "without an end"),
    ],
)
def test_a_death_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str) -> None:
    monkeypatch.setattr(adopt_check, "CHILD", code)
    monkeypatch.setattr(adopt_check, "SECONDS", 1.0)
    with pytest.raises(ArtifactError, match=said):
        check_in_child(saved(graphs.generator(), tmp_path), Asked())
