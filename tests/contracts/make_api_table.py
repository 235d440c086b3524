"""Write down which names NVIDIA's own Python bindings have, as a JSON table for the contract test.

The bindings of TensorRT are one compiled module that asks for libnvinfer and friends, gigabytes that a test
machine does not need: a stub of a few empty functions, compiled here under the wanted name, lets the real
bindings load. Every class, enum and docstring is then there to be read; nothing of it can be executed.

    pip download --no-deps tensorrt-cu12-bindings==10.3.0
    python tests/contracts/make_api_table.py --wheel tensorrt_cu12_bindings-10.3.0-*.whl --out 10.3.0.json
    python tests/contracts/make_api_table.py --module tensorrt_rtx --out rtx-1.7.1.116.json
    python tests/contracts/make_api_table.py --module cuda.bindings.runtime --version 13.0.3 --out 13.0.3.json

The wheel must be for the Python that runs this (cp311 for Python 3.11); a C compiler must be there as `cc`.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import inspect
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

LIBRARY = re.compile(r"(lib[\w.]+\.so[.\d]*): cannot open shared object file")
STUB = "".join(
    f"void *{name}(void) {{ return 0; }}\n"
    for name in (
        "createInferBuilder_INTERNAL",
        "createInferRefitter_INTERNAL",
        "createInferRuntime_INTERNAL",
        "createNvOnnxParserRefitter_INTERNAL",
        "createNvOnnxParser_INTERNAL",
        "getBuilderPluginRegistry",
        "getInferLibVersion",
        "getNvOnnxParserVersion",
        "getPluginRegistry",
        "initLibNvInferPlugins",
    )
)


def import_wheel(wheel: Path, folder: Path) -> ModuleType:
    """Unpack `wheel` into `folder` and import its bindings over stub libraries."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    name = next(path.parent.name for path in folder.glob("*_bindings/__init__.py"))
    sys.path.insert(0, str(folder))
    while True:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            missing = LIBRARY.search(str(error))
            if missing is None:
                raise
            load_stub(missing[1], folder)


def load_stub(soname: str, folder: Path) -> None:
    """Compile the stub under `soname` and load it, so that the loader finds that name taken."""
    source, library = folder / "stub.c", folder / soname
    if library.exists():
        raise SystemExit(f"{soname} was already stubbed; the loader still does not find it.")
    source.write_text(STUB)
    command = ["cc", "-shared", "-fPIC", f"-Wl,-soname,{soname}", "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


def api_table(module: ModuleType, version: str) -> dict[str, Any]:
    """The public names of `module`.

    {"version", "enums": {enum: members}, "names": everything that is no class,
     "classes": {class: {"base": class or None, "members": {own member: its signatures, shortened}}}}
    """
    enums: dict[str, list[str]] = {}
    classes: dict[str, dict[str, Any]] = {}
    names: list[str] = []
    for name in public(dir(module)):
        thing = getattr(module, name)
        if not inspect.isclass(thing):
            if not inspect.ismodule(thing):
                names.append(name)
        elif hasattr(thing, "__members__"):
            enums[name] = list(thing.__members__)
        else:
            parent = thing.__mro__[1].__name__
            base = parent if hasattr(module, parent) else None
            members = {member: signatures(thing, member) for member in ["__init__", *public(vars(thing))]}
            classes[name] = {"base": base, "members": members}
    return {"version": version, "enums": enums, "classes": classes, "names": names}


def public(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("_"))


def signatures(cls: type, member: str) -> list[str]:
    """The overloads of a method, or the one type of a property, as the bindings' docstrings state them.

    "(flags: int = 0) -> INetworkDefinition"; for a property "-> int"; empty where they state nothing.
    """
    thing = inspect.getattr_static(cls, member, None)
    text = (thing.fget if isinstance(thing, property) else getattr(cls, member)).__doc__ or ""
    found = re.findall(rf"^(?:\d+\. )?(?:{member})?(\(.*\) -> .+)$", text, flags=re.MULTILINE)
    found = [re.sub(r"\b(?:\w+(?:\.|::))+(?=[A-Za-z_])", "", line) for line in found]  # module names
    if isinstance(thing, property):
        return [line[line.rindex("-> ") :] for line in found[:1]]
    return [re.sub(r"^\(self: \w+(?:, )?", "(", line) for line in found if "*args, **kwargs" not in line]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--wheel", type=Path, help="a wheel of NVIDIA's bindings")
    source.add_argument("--module", help="a module that can be imported as it is")
    parser.add_argument("--version", help="the version to write down, where the module does not say")
    parser.add_argument("--out", type=Path, required=True, help="the table to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.wheel:
            module = import_wheel(arguments.wheel, Path(folder))
        else:
            module = importlib.import_module(arguments.module)
        table = api_table(module, arguments.version or module.__version__)
    arguments.out.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
