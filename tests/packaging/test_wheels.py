"""The wheels of a bundle: those that the other machine needs, not this one, and this program's own."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dcgan_edge import __version__
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.packaging.own_wheel import own_wheel
from dcgan_edge.packaging.wheels import Target, collect_wheels, pip_download, requirements_text
from tests.packaging.conftest import STUBS, StubRegistry

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent.parent
BOARD = Target("aarch64", "3.10")


def names(target: Target, *extras: str) -> tuple[set[str], StubRegistry]:
    registry = StubRegistry()
    return {wheel.name for wheel in collect_wheels(target, extras, download=registry)}, registry


def test_markers_are_those_of_the_target() -> None:
    old, registry = names(BOARD, "cpu")
    assert old == {"dcgan-edge", *STUBS}
    assert registry.asked[0] == [
        "click>=8.1", "numpy>=1.26", "pillow>=10.3", "platformdirs>=4.0", "rich>=13.0", "tomli>=2.0",
        "onnxruntime>=1.18",
    ]  # fmt: skip
    assert registry.asked[1][len(registry.asked[0]) :] == ["coloredlogs"]
    new, registry = names(Target("aarch64", "3.12"), "cpu")
    assert new == old - {"tomli", "coloredlogs"}
    assert len(registry.asked) == 1


def test_the_base_install_has_no_runtime() -> None:
    assert names(BOARD)[0] == {"dcgan-edge", *STUBS} - {"onnxruntime", "coloredlogs"}


def test_an_extra_of_ours_stands_for_what_it_names() -> None:
    registry = StubRegistry()
    with pytest.raises(KeyError):  # the registry here has no such wheels
        collect_wheels(BOARD, ["export"], download=registry)
    assert {"torch", "onnx"} <= {each.partition(">")[0] for each in registry.asked[0]}
    with pytest.raises(UsageError, match="no extra nonsense"):
        names(BOARD, "nonsense")


def test_a_version_that_the_target_does_not_take_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STUBS, "numpy", ("1.20.0", ()))
    with pytest.raises(EdgeError, match=r"wants numpy>=1\.26 for aarch64 and Python 3\.10"):
        names(BOARD)


def test_pip_installs_just_these_wheels() -> None:
    found = collect_wheels(BOARD, (), download=StubRegistry())
    lines = requirements_text(found).splitlines()
    assert lines == sorted(f"{each.name}=={each.version} --hash=sha256:{each.sha256}" for each in found)


@pytest.mark.parametrize(
    ("target", "first", "oldest"),
    [
        (BOARD, "manylinux_2_34_aarch64", "manylinux_2_17_aarch64"),
        (Target("x86_64", "3.12"), "manylinux_2_34_x86_64", "manylinux_2_5_x86_64"),
    ],
)
def test_wheels_are_for_its_processor(target: Target, first: str, oldest: str) -> None:
    assert target.tags[0] == first
    assert oldest in target.tags
    assert all(tag.endswith(target.machine) for tag in target.tags)


def test_pip_is_asked_for_the_target_and_its_refusal_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[list[str]] = []

    def answer(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        said = "WARNING: x\nERROR: Could not find it.\nERROR: No matching distribution found for nothing.\n"
        return subprocess.CompletedProcess(command, 1, "", said)

    monkeypatch.setattr(subprocess, "run", answer)
    with pytest.raises(
        EdgeError, match=r"aarch64 and Python 3\.10: No matching distribution found for nothing\."
    ):
        pip_download(["nothing"], BOARD, tmp_path)
    (command,) = asked
    assert command[command.index("--python-version") + 1] == "3.10"
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert command.count("--platform") == len(BOARD.tags)


def test_our_own_wheel_is_whole_and_always_the_same() -> None:
    name, content = own_wheel()
    assert name == f"dcgan_edge-{__version__}-py3-none-any.whl"
    assert own_wheel() == (name, content)
    info = f"dcgan_edge-{__version__}.dist-info"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    recorded = dict(line.split(",", 1) for line in files[f"{info}/RECORD"].decode().splitlines())
    assert recorded.keys() == files.keys()
    for each, facts in recorded.items():
        if each != f"{info}/RECORD":
            digest = base64.urlsafe_b64encode(hashlib.sha256(files[each]).digest()).rstrip(b"=").decode()
            assert facts == f"sha256={digest},{len(files[each])}"
    assert {f"{info}/METADATA", f"{info}/WHEEL", f"{info}/entry_points.txt"} <= files.keys()
    for each in ("runtime/session.py", "export/onnx/graph.py", "evaluation/digits.onnx", "py.typed"):
        assert f"dcgan_edge/{each}" in files
    assert not [each for each in files if "__pycache__" in each or each.endswith(".pyc")]


@pytest.mark.source
def test_our_own_wheel_has_what_the_build_would_pack() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    with zipfile.ZipFile(io.BytesIO(own_wheel()[1])) as archive:
        ours = {each for each in archive.namelist() if ".dist-info/" not in each}
    packed = set()
    for package in table["packages"]:
        folder = ROOT / package.replace(".", "/")
        for pattern in ("*.py", *table["package-data"].get(package, [])):
            packed |= {f"{package.replace('.', '/')}/{path.name}" for path in folder.glob(pattern)}
    assert ours == packed
