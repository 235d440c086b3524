"""Break the session on purpose, a few lines at a time, and see whether the test that should notice does.

    python -m tests.mutants              every mutation of mutations.diff
    python -m tests.mutants --only close

The changed modules (of `fakes.lab.MODULES`) are loaded beside the real ones, and the test runs against them
on the in-memory machine. `test_mutants.py` does the same with every test run.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from dcgan_edge import runtime
from tests.fakes.lab import MODULES, PACKAGE, Lab

TESTS = Path(__file__).parent

RUNTIME = Path(str(runtime.__file__)).parent
SUITES = (
    "tensorrt.test_tensorrt_session", "tensorrt.test_tensorrt_graphs", "tensorrt.test_tensorrt_refusals",
    "tensorrt.test_tensorrt_inspect", "tensorrt.test_tensorrt_devices", "tensorrt.test_tensorrt_uint8",
    "test_cuda",
)  # fmt: skip
VERSIONS = ("10.3.0", "rtx-1.7.1.116")


@dataclass(frozen=True)
class Mutation:
    """The lines `old`, which occur exactly once in `module`, become `new`; `test` should notice."""

    name: str
    module: str
    test: str
    old: str
    new: str


def read_mutations(path: Path = TESTS / "mutations.diff") -> list[Mutation]:
    """Blocks of: a name; the module and the test; lines that go (-) and lines that come (+)."""
    mutations = []
    for block in path.read_text().strip().split("\n\n"):
        name, where, *lines = block.splitlines()
        old, new = ("".join(f"{line[1:]}\n" for line in lines if line[0] == sign) for sign in "-+")
        module, test = where.split()
        mutations.append(Mutation(name, module, test, old, new))
    return mutations


def find_test(name: str) -> Callable[[Lab], None]:
    """The test function `name` of `SUITES`. Raises KeyError if there is none."""
    for suite in SUITES:
        found: Callable[[Lab], None] | None = vars(importlib.import_module(f"tests.runtime.{suite}")).get(
            name
        )
        if found is not None:
            return found
    raise KeyError(name)


def load(mutation: Mutation | None) -> dict[str, ModuleType]:
    """A private copy of the modules, one of them changed. Raises ValueError if the change does not apply."""
    names = {name: f"{PACKAGE}.{name}" for name in MODULES}
    kept = {full: sys.modules.get(full) for full in names.values()}
    modules = {}
    try:
        for name, full in names.items():
            text = (RUNTIME / f"{name.replace('.', '/')}.py").read_text()
            if mutation is not None and name == mutation.module:
                if text.count(mutation.old) != 1:
                    raise ValueError(f"{mutation.name!r} fits {text.count(mutation.old)} places of {name}.py")
                text = text.replace(mutation.old, mutation.new)
            modules[name] = sys.modules[full] = ModuleType(full)
            modules[name].__package__ = full.rpartition(".")[0]
            exec(compile(text, f"<{name}>", "exec"), vars(modules[name]))
    finally:
        for full, module in kept.items():
            if module is None:
                sys.modules.pop(full, None)
            else:
                sys.modules[full] = module
    return modules


def complaint(modules: dict[str, ModuleType], test: Callable[[Lab], None]) -> str:
    """What `test` has against `modules`, with the version of the library; "" if nothing."""
    for version in VERSIONS:
        try:
            with Lab(version, modules=modules) as lab:
                test(lab)
        except (Exception, pytest.fail.Exception) as error:  # however it shows: noticing is what counts
            first_line = (str(error).strip() or "no message").splitlines()[0]
            return f"{version}: {type(error).__name__}: {first_line[:80]}"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="a part of the names of the mutations to try")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    start = time.perf_counter()
    tried = [mutation for mutation in read_mutations() if arguments.only in mutation.name]
    survivors = 0
    for mutation in tried:
        noticed = complaint(load(mutation), find_test(mutation.test))
        survivors += not noticed
        print(f"{mutation.name:45} {noticed or 'SURVIVED'}")
    print(f"{len(tried)} mutations, {survivors} survived, {time.perf_counter() - start:.1f} s")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
