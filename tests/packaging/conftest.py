"""A bundle that is made without pip and without network, of wheels that hold nothing but their metadata."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from dcgan_edge.packaging.bundle import write_bundle
from dcgan_edge.packaging.wheels import Target

STUBS = {  # distribution -> version, and what it asks for
    "click": ("8.5.1", ("colorama; platform_system == 'Windows'",)),
    "numpy": ("2.2.6", ()),
    "pillow": ("12.3.0", ()),
    "platformdirs": ("4.12.4", ()),
    "rich": ("15.0.0", ("markdown-it-py>=2.2.0", "typing-extensions; python_version < '3.8'")),
    "markdown-it-py": ("4.3.0", ()),
    "onnxruntime": ("1.23.2", ("numpy>=1.21.6", "coloredlogs; python_version < '3.11'")),
    "coloredlogs": ("15.0.1", ()),
    "tomli": ("2.5.0", ()),
}
LICENSES = {"click": "License-Expression: BSD-3-Clause", "rich": "License: MIT"}


def stub_wheel(folder: Path, name: str) -> None:
    """Put the wheel of one of STUBS into `folder`."""
    version, wanted = STUBS[name]
    base = f"{name.replace('-', '_')}-{version}"
    lines = [f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}", LICENSES.get(name, "")]
    lines += [f"Requires-Dist: {each}" for each in wanted]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        entry = zipfile.ZipInfo(f"{base}.dist-info/METADATA")
        archive.writestr(entry, "\n".join(filter(None, lines)) + "\n\n")
    (folder / f"{base}-py3-none-any.whl").write_bytes(content.getvalue())


class StubRegistry:
    """In pip's place: it brings what was asked for, and like pip what that wants on the machine it runs on.

    That machine is one with a Python above 3.10, for which coloredlogs and tomli are not needed.
    """

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, requirements: Sequence[str], target: Target, folder: Path) -> None:
        self.asked.append(list(requirements))
        for requirement in (*requirements, "markdown-it-py"):
            name = requirement.partition(">")[0].partition("=")[0].partition("[")[0]
            stub_wheel(folder, name)


@pytest.fixture(scope="session")
def bundle(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of generator.fp16.onnx for linux-aarch64 and Python 3.10."""
    path = tmp_path_factory.mktemp("bundle") / "bundle.tar.gz"
    write_bundle(
        [exported / "generator.fp16.onnx"],
        path,
        platform="linux-aarch64",
        python="3.10",
        license="CC-BY-4.0",
        download=StubRegistry(),
    )
    return path
