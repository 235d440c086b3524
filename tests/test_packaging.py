"""What is installed, what imports what, and what the command line promises."""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from dcgan_edge import __version__, runtime
from tests.interpreters import failures

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def packages_in_the_tree() -> set[str]:
    found = set()
    for top, name in (
        ("dcgan_edge", "dcgan_edge"),
        ("export", "dcgan_edge.export"),
        ("runtime", "dcgan_edge.runtime"),
    ):
        for init in (ROOT / top).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / top).parts
            if top != "dcgan_edge" or inner[:1] not in (("export",), ("runtime",)):
                found.add(".".join((name, *inner)))
    return found


@pytest.mark.source
def test_every_package_is_in_the_wheel() -> None:
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages_in_the_tree()


@pytest.mark.source
def test_there_is_one_version() -> None:
    assert PROJECT["project"]["version"] == __version__


@pytest.mark.source
def test_the_folders_are_one_package() -> None:
    for folder in ("export", "runtime"):
        module = importlib.import_module(f"dcgan_edge.{folder}")
        assert module.__file__ is not None
        assert Path(module.__file__).resolve() == ROOT / folder / "__init__.py"


RUNTIME = Path(str(runtime.__file__)).parent
LIGHT = [
    ".".join(("dcgan_edge.runtime", *path.relative_to(RUNTIME).with_suffix("").parts))
    for path in sorted(RUNTIME.rglob("*.py"))
]
HEAVY = {
    "torch",
    "onnx",
    "onnxruntime",
    "openvino",
    "tensorrt",
    "tensorrt_rtx",
    "safetensors",
    "jinja2",
    "matplotlib",
    "cuda",
}


def test_importing_any_of_them_first_loads_no_framework() -> None:
    modules = [module.removesuffix(".__init__") for module in ["dcgan_edge.cli", *LIGHT]]
    check = f"import sys; sys.exit(', '.join(sorted({HEAVY!r} & set(sys.modules))))"
    programs = [f"import {module}; {check}" for module in modules]
    assert failures(programs, preloaded="import numpy, PIL.Image, click, subprocess") == {}


def test_the_jetson_extra_asks_pip_for_nothing_that_jetpack_brings() -> None:
    brought = PROJECT["project"]["optional-dependencies"]["jetson"]
    assert {re.split("[=>]", one)[0] for one in brought} == {"cuda-bindings", "nvidia-ml-py"}
    six, seven = (one for one in brought if one.startswith("cuda-bindings"))
    assert ("==12.*" in six, ">=13.0" in seven) == (True, True)


def test_every_lower_bound_can_be_installed_as_it_is_written() -> None:
    table = PROJECT["project"]
    wanted = [*table["dependencies"], *itertools.chain(*table["optional-dependencies"].values())]
    free = [
        one for one in wanted if not re.match(r"[a-z0-9_-]+(>=[0-9.]+|==[0-9]+\.\*|\[[a-z,]+\]$)", one, re.I)
    ]
    assert free == []
