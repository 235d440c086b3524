"""What went wrong in a training, from plain lines that anybody may have written."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.report import ReportContent, render, to_json, to_markdown
from dcgan_edge.report.incidents import JUDGED_FROM, SHORT, SOUND, all_well, incidents, read_metrics
from dcgan_edge.training.monitor import SETTLING, WINDOW
from tests.html_page import Page


def event(step: int, state: str = "begins", problem: str = "mode collapse") -> dict[str, Any]:
    return {"step": step, "problem": problem, "state": state, "seen": f"seen at {step}", "advice": "try <b>"}


def told(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"step": each["step"], "diversity": 0.5, "events": [each]} for each in events]


def test_events_are_paired_by_problem_in_the_order_of_their_beginning() -> None:
    lines = told(
        event(10), event(20, problem="gradients vanish"), event(30, "ends"), event(40), event(50, "ends"),
    )  # fmt: skip
    found = incidents(lines)
    assert [(s.number, s.problem, s.begin, s.end) for s in found] == [
        (1, "mode collapse", 10, 30),
        (2, "gradients vanish", 20, None),
        (3, "mode collapse", 40, 50),
    ]
    assert (found[0].seen, found[0].over, found[1].over) == ("seen at 10", "seen at 30", "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(event(1))), inner),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(["step", "events", "diversity"]), JSON), max_size=5))
def test_whatever_is_no_event_is_left_out(lines: list[dict[str, Any]]) -> None:
    for incident in incidents(lines):
        assert isinstance(incident.begin, int)
        assert isinstance(incident.problem, str)


def test_the_page_says_what_was_wrong_and_escapes_it() -> None:
    html = render(ReportContent("t", metrics=told(event(10), event(1030, "ends"))))
    page = Page(html)
    text = " ".join(page.text.split())
    assert "What went wrong" in text
    assert "1 mode collapse 10 1,030 seen at 10 seen at 1030 try <b>" in text
    assert "try &lt;b&gt;" in html
    assert len(page.ids()) == len(set(page.ids()))


def monitored(lines: int) -> list[dict[str, Any]]:
    return [{"step": number, "diversity": 0.9} for number in range(1, lines + 1)]


def test_a_monitored_run_without_events_says_so_once_it_could_be_judged() -> None:
    assert JUDGED_FROM == SETTLING + WINDOW
    assert SOUND in render(ReportContent("t", metrics=monitored(JUDGED_FROM)))
    assert SHORT in render(ReportContent("t", metrics=monitored(JUDGED_FROM - 1)))
    unmonitored: list[dict[str, Any]] = [{"step": n, "loss_d": 0.9} for n in range(1, 100)]
    assert all_well(unmonitored) == ""
    html = render(ReportContent("t", metrics=unmonitored))
    assert not any(words in html for words in (SOUND, SHORT, "What went wrong"))


def test_markdown_and_json_tell_it_too() -> None:
    sick = ReportContent("t", metrics=told(event(10), event(30, "ends")))
    assert "- Step 10: mode collapse, over at step 30. seen at 10" in to_markdown(sick)
    (first,) = json.loads(to_json(sick))["training"]["events"]
    assert (first["begin"], first["end"]) == (10, 30)
    sound = dataclasses.replace(sick, metrics=monitored(JUDGED_FROM))
    assert "Training: mode collapse, a discriminator" in to_markdown(sound)
    assert "raining" not in to_markdown(dataclasses.replace(sick, metrics=()))


def test_metrics_are_read_from_a_file_or_its_folder_up_to_the_last_whole_line(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"ste')
    assert read_metrics(tmp_path) == read_metrics(tmp_path / "metrics.jsonl") == [{"step": 1}, {"step": 2}]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", UsageError),
        ('{"step": 1}', ArtifactError),
        ("text\n", ArtifactError),
        ("[1]\n", ArtifactError),
        ('{"loss": 1}\n', ArtifactError),
        ('{"step": "1"}\n', ArtifactError),
        ("[" * 100_000 + "\n", ArtifactError),
        ('{"step": NaN}\n', ArtifactError),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str, error: type[Exception]) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(content)
    with pytest.raises(error):
        read_metrics(path)
