"""A world of hosts behind a stand-in for ssh."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from dcgan_edge.benchmark_matrix import read_plan
from dcgan_edge.fleet.payload import Payload, artifact_payload
from tests.packaging.conftest import bundle as bundle
from tests.report_pieces import bench_report, steady

HERE = Path(__file__).parent
PLAN = 'artifacts = ["generator.fp16.onnx"]\nbatches = [1, 2]\nstreams = [1, 2]\nduration = 0.1\n'
CELLS = 4


@dataclass(frozen=True)
class World:
    """A folder with a plan and hosts.toml, and the hosts in it."""

    folder: Path

    def add(self, *names: str) -> None:
        """Have hosts of these names, and list them and no others."""
        lines = [f'python = "{sys.executable}"', f'environment = {{ PYTHONPATH = "{self.folder / "site"}" }}']
        for name in names:
            (self.folder / name / "home").mkdir(parents=True, exist_ok=True)
            lines += [f"[hosts.{name}]"]
        self.hosts.write_text("\n".join(lines))

    def prepare(self) -> None:
        """Have the boards measure the plan as it is now."""
        site = self.folder / "site" / "dcgan_edge"
        site.mkdir(parents=True, exist_ok=True)
        (site / "__init__.py").touch()  # else a package that is installed would come before it
        (site / "whole.json").write_text(whole_record(self.payload()))
        shutil.copyfile(HERE / "bench_stand_in.py", site / "__main__.py")

    def payload(self) -> Payload:
        """Return what a board without a bundle is sent."""
        return artifact_payload(read_plan(self.plan), self.folder, self.folder)

    @property
    def hosts(self) -> Path:
        """Return the list of the hosts."""
        return self.folder / "hosts.toml"

    @property
    def plan(self) -> Path:
        """Return the plan."""
        return self.folder / "plan.toml"

    @property
    def out(self) -> Path:
        """Return where records and logs are put."""
        return self.folder / "fleet"

    def tell(self, name: str, file: str, text: str = "") -> None:
        """Say what is the matter with a host, in its folder or its home folder."""
        (self.folder / name / file).write_text(text)

    def mend(self, name: str, *files: str) -> None:
        """Have it be the matter no longer."""
        for file in files:
            (self.folder / name / file).unlink()

    def asked(self, name: str) -> list[str]:
        """Return what a host was asked to do, and forget it."""
        path = self.folder / name / "commands"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        steps = ("state", "unpack", "install", "plan", "bench", "record")
        return [next(step for step in steps if f" {step} " in f"{line} ") for line in lines]

    def there(self, name: str) -> Path:
        """Return the folder of what was sent to a host."""
        sent = (self.folder / name / "home").glob("dcgan-edge-fleet/*/*")
        (found,) = (path for path in sent if path.is_dir())
        return found


def whole_record(payload: Payload, **facts: str) -> str:
    """The record of all that `payload` asks for."""
    words = [
        dict(zip(cell.split()[::2], cell.replace(",", "").split()[1::2], strict=True))
        for cell in payload.cells
    ]
    taken = [
        steady(name, batch=int(word["batch"]), streams=int(word["streams"]), sha256=digest)
        for word in words
        for name, digest in payload.digests.items()
    ]
    plan = {"matrix": payload.asked, "done": list(payload.cells)}
    return bench_report(*taken, plan=plan, **facts).to_json()


@pytest.fixture
def world(tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world without hosts, whose plan is of generator.fp16.onnx beside it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    script = tools / "ssh"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{HERE / "ssh_stand_in.py"}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FLEET_TEST_WORLD", str(tmp_path))
    for name in ("generator.fp16.onnx", "generator.fp16.onnx.json"):
        shutil.copyfile(exported / name, tmp_path / name)
    (tmp_path / "plan.toml").write_text(PLAN)
    made = World(tmp_path)
    made.prepare()
    return made
