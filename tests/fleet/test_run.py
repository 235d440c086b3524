"""A plan on hosts behind a stand-in for ssh: what is sent, what is not sent again, and what is a row."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import dcgan_edge
from dcgan_edge.cli import main
from dcgan_edge.errors import ArtifactError, EdgeError, UnavailableError, UsageError
from dcgan_edge.fleet.run import run_fleet
from dcgan_edge.runtime.bench.record import read_report
from tests.fleet.conftest import CELLS, World, whole_record

WHOLE = ["state", "unpack", "plan", "bench", "record"]


def run(world: World, *words: str) -> tuple[int, dict[str, Any]]:
    command = ["fleet", "run", str(world.hosts), "--plan", str(world.plan), "--out", str(world.out), "--json"]
    result = CliRunner().invoke(main, [*command, *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout)


def rows(document: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {row["name"]: (row["status"], row["cells"]) for row in document["hosts"]}


def test_a_host_that_dies_halfway_is_a_row_and_the_next_run_does_what_is_missing(world: World) -> None:
    world.add("alive", "dying", "dead")
    world.tell("dying", "dies-at", "cell 3 of")
    world.tell("dying", "home/hang", "3")
    world.tell("dead", "down")
    world.tell("alive", "greeting", '{"a": "shell that greets"}\n')
    page = world.folder / "fleet.html"
    code, first = run(world, "--report", str(page))
    assert code == UnavailableError.exit_code
    assert rows(first) == {
        "alive": ("done", CELLS),
        "dying": ("unreachable", 2),
        "dead": ("unreachable", 0),
    }
    assert "Connection refused" in first["hosts"][2]["reason"]
    assert "dead has no results" in page.read_text()
    record = world.out / "records" / "alive.json"
    assert len(read_report(record).measurements) == CELLS
    assert world.asked("alive") == WHOLE
    before = record.read_bytes(), record.stat().st_mtime_ns

    world.mend("dying", "down", "home/hang")
    world.mend("dead", "down")
    world.asked("dying")
    code, second = run(world)
    assert (code, rows(second)) == (0, dict.fromkeys(("alive", "dying", "dead"), ("done", CELLS)))
    assert [row["was_here"] for row in second["hosts"]] == [True, False, False]
    assert (record.read_bytes(), record.stat().st_mtime_ns) == before
    assert world.asked("alive") == []
    assert world.asked("dying") == ["state", "bench", "record"]
    log = (world.out / "logs" / "dying.log").read_text()
    assert "cell 2 of 4" not in log
    assert "cell 4 of 4" in log


def test_a_host_that_fails_says_why_and_in_printable_characters(world: World) -> None:
    world.add("a")
    world.tell("a", "home/broken")
    code, document = run(world)
    assert code == EdgeError.exit_code
    assert document["hosts"][0]["status"] == "failed"
    assert document["hosts"][0]["reason"] == r"measuring: The board is \x1b[31mbroken."
    assert not list(world.out.glob("records/*"))


def test_what_takes_too_long_is_stopped_there_and_kept(world: World) -> None:
    world.add("a")
    world.tell("a", "home/hang", "2")
    code, document = run(world, "--timeout", "2s")
    assert code == EdgeError.exit_code
    assert "within" in document["hosts"][0]["reason"]
    assert document["hosts"][0]["cells"] < 2
    world.mend("a", "home/hang")
    assert run(world)[0] == 0


def test_ctrl_c_ends_what_runs_there_and_the_next_run_goes_on(world: World) -> None:
    world.add("a")
    world.tell("a", "home/hang", "2")
    program = [sys.executable, "-m", "dcgan_edge", "fleet", "run", "hosts.toml", "--plan", "plan.toml"]
    path = str(Path(str(dcgan_edge.__file__)).parent.parent)
    process = subprocess.Popen(
        program, cwd=world.folder, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert any("measuring cell 2" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    process.stderr.close()
    world.mend("a", "home/hang")
    world.asked("a")
    assert run(world)[0] == 0  # it waits until the lock there is free
    assert world.asked("a") == ["state", "bench", "record"]


def test_another_plan_or_another_artifact_is_not_mixed_in(world: World) -> None:
    world.add("a")
    record = world.out / "records" / "a.json"
    record.parent.mkdir(parents=True)
    record.write_text(whole_record(world.payload()))
    assert run(world)[0] == 0
    world.plan.write_text(world.plan.read_text().replace("0.1", "0.2"))
    code, document = run(world)
    assert code == UsageError.exit_code
    assert "--out" in document["error"]["message"]
    assert world.asked("a") == []


def test_a_record_that_is_whole_there_is_fetched_unless_it_is_not_what_was_asked_for(world: World) -> None:
    world.add("a")
    assert run(world)[0] == 0
    record = world.out / "records" / "a.json"
    whole = record.read_text()
    (kept,) = world.there("a").glob("record-*.json")
    kept.write_text(whole.replace(next(iter(world.payload().digests.values())), "0" * 64))
    record.unlink()
    code, document = run(world)
    assert code == EdgeError.exit_code
    assert document["hosts"][0]["reason"].startswith("collecting: a.json")
    assert not record.exists()
    kept.write_text(whole)
    world.asked("a")
    assert run(world)[0] == 0
    assert world.asked("a") == ["state", "record"]
    assert record.read_text() == whole


def test_nobody_is_asked_when_what_is_sent_is_not_sound(world: World) -> None:
    world.add("a")
    artifact = world.folder / "generator.fp16.onnx"
    artifact.write_bytes(artifact.read_bytes()[:-1])
    with pytest.raises(ArtifactError):
        run_fleet(world.hosts, world.plan, out=world.out)
    (world.folder / "b.tar.gz").write_bytes(b"no bundle")
    world.hosts.write_text('bundle = "b.tar.gz"\n' + world.hosts.read_text())
    with pytest.raises(ArtifactError):
        run_fleet(world.hosts, world.plan, out=world.out)
    assert world.asked("a") == []


def test_a_bundle_without_the_artifact_of_the_plan_is_refused(world: World, bundle: Path) -> None:
    world.add("a")
    world.hosts.write_text(f'bundle = "{bundle}"\n' + world.hosts.read_text())
    world.plan.write_text('artifacts = ["other.onnx"]\n')
    with pytest.raises(UsageError, match=r"generator\.fp16\.onnx"):
        run_fleet(world.hosts, world.plan, out=world.out)


def test_a_bundle_is_installed_once_and_what_install_says_is_the_reason(world: World, bundle: Path) -> None:
    world.add("a")
    world.hosts.write_text(f'bundle = "{bundle}"\n' + world.hosts.read_text())
    code, document = run(world)  # it is for linux-aarch64 and Python 3.10, with wheels that hold nothing
    assert code == EdgeError.exit_code
    assert document["hosts"][0]["reason"].startswith("installing: ")
    assert world.asked("a") == ["state", "unpack", "install"]
    run(world)
    assert world.asked("a") == ["state", "install"]


def test_without_ssh_it_says_what_is_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add("a")
    monkeypatch.setenv("PATH", str(world.folder))
    code, document = run(world)
    assert code == UnavailableError.exit_code
    assert "ssh" in document["error"]["message"]
