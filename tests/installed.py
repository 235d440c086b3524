"""Run the tests against the built wheel, installed in a new environment, where no source tree can help it.

    python -m tests.installed wheel      everything, with the libraries that run this
    python -m tests.installed lowest     what needs no torch, with the lowest versions that are allowed
    python -m tests.installed pythons    what needs no torch, on Python 3.10 and the newest one that is here

Several of them share the wheel. The make targets test-wheel, test-lowest, test-pythons and, for all of them,
test-installed call it from the repository's root.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
SOURCES = ("dcgan_edge", "export", "runtime")
METADATA = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")
ALL = (
    "export,cpu,openvino,rtx,report,tensorboard,data,restore,features,video,keras,serve,bundle,sign,cluster,"
    "ray,dev"
)
TORCH_FREE = "cpu,openvino,report,data,video"
TOOLS = ("pytest", "pytest-xdist", "hypothesis")
BINDINGS = ("cuda-bindings", "nvidia-ml-py")  # of the extra `gpu`, whose other libraries are large
OLDEST = (3, 10)
NEWEST = ((3, 14), (3, 13), (3, 12))
PIN = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9.]+)")


def project() -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def lowest_pins() -> dict[str, str]:
    """The lowest allowed version, by name, of what the torch-free extras install directly."""
    table = project()
    wanted = list(table["dependencies"])
    for extra in TORCH_FREE.split(","):
        wanted += table["optional-dependencies"][extra]
    wanted += [one for one in table["optional-dependencies"]["gpu"] if one.startswith(BINDINGS)]
    return {found[1]: found[2] for one in wanted if (found := PIN.match(one))}


def lowest_constraints() -> str:
    """constraints.txt with the lowest versions in the place of those that pyproject.toml names."""
    pins = lowest_pins()
    kept = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line.partition("==")[0].lower() not in pins
    ]
    return "\n".join([*kept, *(f"{name}=={version}" for name, version in pins.items()), ""])


def build_wheel(work: Path) -> Path:
    """Build the wheel from a copy, so that no earlier build can lend it a file."""
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, work / "source" / name, symlinks=True, ignore=ignored)
    for name in METADATA:
        shutil.copy2(ROOT / name, work / "source" / name)
    call(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", work, work / "source")
    (wheel,) = work.glob("*.whl")
    return wheel


def copy_tests(work: Path) -> Path:
    """A folder with the tests and all that they read, but not the package."""
    left_out = shutil.ignore_patterns(*SOURCES, ".*", "build", "dist", "*.egg-info", "__pycache__", "demo")

    def ignored(folder: str, names: list[str]) -> set[str]:
        top = Path(folder) == ROOT
        return left_out(folder, names) if top else {name for name in names if name == "__pycache__"}

    return Path(shutil.copytree(ROOT, work / "suite", ignore=ignored))


def install(python: str, folder: Path, constraints: Path, wanted: list[str], *, lent: bool = False) -> Path:
    """Make a virtual environment with `wanted` in it and return its Python.

    With `lent` it finds the libraries of the environment that runs this, so that pip adds only what is not
    there. The package itself is not lent: what makes an editable install importable is a path file, and those
    are read in an environment's own folder only.
    """
    call(python, "-m", "venv", folder)
    installed = folder / "bin" / "python"
    if lent:
        (packages,) = folder.glob("lib/python*/site-packages")
        (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    # Most of what is installed is never imported: Python compiles what is.
    pip = (installed, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile")
    call(*pip, *(["--no-warn-conflicts"] if lent else []), "-c", constraints, *wanted)
    return installed


def run_suite(python: Path, suite: Path, *options: str, **environment: str) -> None:
    """Run the tests in `suite`, after a look that they will find the installed package."""
    where = "import dcgan_edge; print(dcgan_edge.__file__)"
    module = subprocess.run([python, "-c", where], cwd=suite, check=True, capture_output=True, text=True)
    if python.parent.parent not in Path(module.stdout.strip()).parents:
        sys.exit(f"The tests would not run against the installed package but against {module.stdout}")
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": "", **environment}
    pytest = ("-m", "pytest", "-n", "auto", "--maxprocesses", "4", "-m", "not source", *options)
    call(python, *pytest, cwd=suite, env=variables)


def call(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Run a command; its failure ends this program with its exit code."""
    status = subprocess.run([str(part) for part in command], cwd=cwd, env=env, check=False).returncode
    if status:
        sys.exit(status)


def interpreter(version: tuple[int, int]) -> str | None:
    """A Python of this version that can make virtual environments: on the PATH, or made by pyenv."""
    name = "python{}.{}".format(*version)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(name), *sorted(map(str, pyenv.glob(f"{name[6:]}*/bin/{name}")))]
    check = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != {version})"
    for path in filter(None, found):
        if subprocess.run([path, "-c", check], check=False, capture_output=True).returncode == 0:
            return path
    return None


def pythons() -> list[str]:
    """Python 3.10 and the newest one beside ours; for one that is not here a line says so."""
    ours = sys.version_info[:2]
    chosen = [interpreter(OLDEST)] if ours != OLDEST else []
    if chosen == [None]:
        print("SKIP Python 3.10: there is none here; `apt-get install python3.10-venv` where it is packaged")
    newest = next((path for version in NEWEST if version != ours and (path := interpreter(version))), None)
    if newest is None:
        print("SKIP a newer Python: there is no Python 3.12, 3.13 or 3.14 here beside the one that runs this")
    return [path for path in (*chosen, newest) if path]


def main() -> None:
    """Do what the command line says; the exit code is the first failing step's."""
    parser = argparse.ArgumentParser(description="Run the tests against the installed wheel.")
    parser.add_argument("what", choices=("wheel", "lowest", "pythons"), nargs="+")
    asked = parser.parse_args().what
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        wheel, suite, constraints = build_wheel(work), copy_tests(work), ROOT / "constraints.txt"
        if "wheel" in asked:
            python = install(sys.executable, work / "venv", constraints, [f"{wheel}[{ALL}]"], lent=True)
            run_suite(python, suite)
        if asked != ["wheel"]:
            call(sys.executable, "-m", "tests.prepared", work / "prepared")
        if "lowest" in asked:
            lowest = work / "lowest.txt"
            lowest.write_text(lowest_constraints())
            print("lowest versions:", ", ".join(map(" ".join, lowest_pins().items())), flush=True)
            # Old libraries use what the newest of their own dependencies deprecate.
            run_without_torch(sys.executable, work, wheel, lowest, "-W", "ignore::DeprecationWarning")
        for path in pythons() if "pythons" in asked else ():
            run_without_torch(path, work, wheel, constraints)


def run_without_torch(python: str, work: Path, wheel: Path, constraints: Path, *options: str) -> None:
    """Run in a new environment what a device runs."""
    wanted = [f"{wheel}[{TORCH_FREE}]", *TOOLS, *BINDINGS]
    installed = install(python, Path(tempfile.mkdtemp(dir=work)), constraints, wanted)
    prepared = str(work / "prepared")
    run_suite(installed, work / "suite", "--base", *options, DCGAN_EDGE_TEST_ARTIFACTS=prepared)


if __name__ == "__main__":
    main()
