"""The self-test of a device: its verdict, what changed, and that it leaves the bundle as it was."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from dcgan_edge import verification
from dcgan_edge.artifact import embed_manifest, read_artifact, write_artifact
from dcgan_edge.cli import main
from dcgan_edge.errors import ArtifactError, UnavailableError, UsageError, VerificationError
from dcgan_edge.packaging import selftest as module
from dcgan_edge.packaging.checking import check_bundle
from dcgan_edge.packaging.install_script import install_script
from dcgan_edge.packaging.layout import ROOT
from dcgan_edge.packaging.selftest import Change, selftest
from dcgan_edge.packaging.surroundings import surroundings
from tests.jetson_trees import ORIN_NANO, plant


@pytest.fixture
def folder(bundle: Path, tmp_path: Path) -> Path:
    """The bundle, unpacked by tar."""
    with tarfile.open(bundle) as archive:
        archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # type: ignore[arg-type]
    return tmp_path / ROOT


def test_a_bundle_proves_itself_and_stays_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "surroundings", lambda: {"versions": {"numpy": "9.9", "torch": "2.0"}})
    found = selftest(folder)
    (proof,) = found.proofs
    assert (proof.verification.verdict, proof.verification.against) == ("passed", "golden images")
    assert found.since == "the bundle was packed"
    assert found.changes == (Change("versions: numpy", "2.2.6", "9.9"),)
    check_bundle(folder)


def test_what_changed_since_the_last_time_is_said(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in exported.glob("generator.fp16.onnx*"):
        shutil.copy(path, tmp_path)
    manifest = (tmp_path / "generator.fp16.onnx.json").read_bytes()
    facts = {"nvml": {"driver": "570.1"}, "power mode": {"mode": "25W"}}
    monkeypatch.setattr(module, "surroundings", lambda: facts)
    assert (selftest(tmp_path).changes, selftest(tmp_path).changes) == ((), ())
    facts |= {"nvml": {"driver": "580.2"}, "gpu clock": {"locked": "yes"}}
    del facts["power mode"]
    found = selftest(tmp_path)
    assert found.changes == (
        Change("gpu clock: locked", "", "yes"),
        Change("nvml: driver", "570.1", "580.2"),
        Change("power mode: mode", "25W", ""),
    )
    assert (tmp_path / "generator.fp16.onnx.json").read_bytes() == manifest
    answer = CliRunner().invoke(main, ["selftest", str(tmp_path), "--json"])
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    assert (document["changes"], document["since"]) == ([], found.record.date)


def test_an_artifact_that_makes_other_images_fails(exported: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from tests.wrong_images import THREE_LEVELS, with_error

    manifest, data = read_artifact(exported / "generator.fp16.onnx")
    golden = (exported / "generator.fp16.onnx.golden.gz").read_bytes()
    stripped = manifest.about_content()
    wrong = embed_manifest(with_error(data, THREE_LEVELS), stripped)
    write_artifact(tmp_path / "wrong.onnx", wrong, stripped, golden=golden)
    answer = CliRunner().invoke(main, ["selftest", str(tmp_path)])
    assert answer.exit_code == VerificationError.exit_code
    assert json.loads((tmp_path / "selftest.json").read_text())["facts"]["wrong.onnx"]["verdict"] == "failed"


def test_what_cannot_run_here_does_not_keep_the_others_from_it(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in exported.glob("generator.*.onnx*"):
        shutil.copy(path, tmp_path)

    def verify(path: Path, **options: object) -> object:
        if "fp16" in path.name:
            raise UnavailableError("There is no such GPU.")
        return verification.verify(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "verify", verify)
    found = selftest(tmp_path)
    assert [proof.artifact.path.name for proof in found.proofs] == ["generator.fp32.onnx"]
    assert found.to_dict()["not_run"] == {"generator.fp16.onnx": "There is no such GPU."}
    with pytest.raises(UnavailableError):
        found.raise_if_failed()


def test_nothing_to_test_and_a_changed_bundle_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(UsageError):
            selftest(path)
    (folder / "selftest.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"selftest\.json"):
        selftest(folder)
    (folder / "install.sh").write_text("other")
    with pytest.raises(ArtifactError, match=r"install\.sh"):
        selftest(folder)


def test_the_surroundings_of_a_board_are_its_power_mode_and_clocks(tmp_path: Path) -> None:
    found = surroundings(plant(tmp_path, ORIN_NANO))
    assert {"machine", "versions", "gpu clock"} <= found.keys()
    assert found["gpu clock"]["governor"]
    assert all(isinstance(value, str) for facts in found.values() for value in facts.values())


def run_install(folder: Path, text: bytes) -> subprocess.CompletedProcess[str]:
    (folder / "install.sh").write_bytes(text)
    command = ["sh", str(folder / "install.sh"), str(folder / "env")]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})


def test_the_install_script_installs_nothing_that_was_changed(folder: Path) -> None:
    ran = run_install(folder, (folder / "install.sh").read_bytes() + b"# changed\n")
    assert (ran.returncode, "missing or changed" in ran.stderr) == (6, True)
    assert not (folder / "env").exists()


def test_the_install_script_is_for_one_python(folder: Path) -> None:
    python = folder.parent / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (folder / "platform.py").write_text("raise SystemExit('what lies in the folder is run')")
    command = ["sh", str(folder / "install.sh")]
    ran = subprocess.run(
        command, capture_output=True, text=True, env={"PATH": f"{folder.parent}:/usr/bin:/bin"}
    )
    assert (ran.returncode, "linux aarch64 and Python 3.10" in ran.stderr) == (5, True)


def test_an_environment_for_engines_sees_what_the_system_has() -> None:
    assert b"--system-site-packages" in install_script("linux-aarch64", "3.10", system_packages=True)
    plain = install_script("linux-aarch64", "3.10", system_packages=False)
    assert b"--system-site-packages" not in plain
    assert b"@" not in plain.replace(b'"$@"', b"")
