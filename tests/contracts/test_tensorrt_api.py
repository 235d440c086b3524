"""Our TensorRT and CUDA code against NVIDIA's own bindings; the checker against code that it must refuse."""

from __future__ import annotations

import ast
import importlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.contracts.api_checker import Checker
from tests.contracts.api_source import absolute
from tests.contracts.api_tables import Api, load
from tests.contracts.make_api_table import api_table

pytestmark = pytest.mark.source
ROOT = Path(__file__).parents[2]
PATTERNS = ("runtime/tensorrt/*.py", "runtime/cuda*.py", "export/tensorrt/*.py")
CUDA_VERSIONS = ("12.8.0", "13.5.0")  # the oldest and the newest bindings that were looked at


def module_name(path: Path) -> str:
    """The name that the file at `path` of this project is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts if parts[0] == "dcgan_edge" else ("dcgan_edge", *parts))


TEXTS = {
    module_name(path): path.read_text()
    for pattern in PATTERNS
    for path in sorted(ROOT.glob(pattern))
    if path.name != "layers.py"  # reads the inspector's JSON, and no object of TensorRT
}
API = Api.committed()
CUDA = {version: load("cuda-api", version) for version in CUDA_VERSIONS}
CHECKER = Checker(TEXTS, API, CUDA)
HOST = "dcgan_edge.export.tensorrt.config"  # the module that planted code is added to
LIBRARY = "dcgan_edge.runtime.tensorrt.library"
DEFINITIONS = (ast.FunctionDef, ast.ClassDef)

PARAMETERS = {
    "trt": "ModuleType",
    "builder": "Builder",
    "network": "INetworkDefinition",
    "config": "IBuilderConfig",
    "layer": "ILayer",
    "tensor": "ITensor",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
    "runtime": "Runtime",
    "parser": "OnnxParser",
    "rt": "ModuleType",
    "anything": "Any",
    "names": "list[str]",
}


def faults(checker: Checker) -> list[str]:
    return [fault for name in TEXTS for fault in checker.check(name)]


def planted(*lines: str, returns: str = "None") -> list[str]:
    """What the checker says about `lines` as the body of a function in our own code."""
    names = sorted(set(PARAMETERS.values()) - {"ModuleType", "Any", "list[str]"})
    parameters = ", ".join(f"{name}: {kind}" for name, kind in PARAMETERS.items())
    text = (
        TEXTS[HOST]
        + f"\nfrom typing import Any\nif TYPE_CHECKING:\n    from tensorrt import {', '.join(names)}\n\n"
        + f"def planted({parameters}) -> {returns}:\n    "
        + "\n    ".join(lines)
        + "\n"
    )
    return Checker({LIBRARY: TEXTS[LIBRARY], HOST: text}, API, CUDA).check(HOST)


def test_every_name_exists_in_every_supported_version() -> None:
    assert faults(CHECKER) == []


def test_installed_tensorrt_rtx_has_every_name() -> None:
    module = pytest.importorskip("tensorrt_rtx", reason="needs pip install 'dcgan-edge[rtx]'")
    installed = Api({**API.tables, "rtx": api_table(module, module.__version__)})
    assert faults(Checker(TEXTS, installed, CUDA)) == []


def test_installed_cuda_bindings_have_every_name() -> None:
    module = pytest.importorskip("cuda.bindings.runtime", reason="needs pip install cuda-bindings")
    assert faults(Checker(TEXTS, API, {"installed": api_table(module, "installed")})) == []


def test_committed_rtx_table_is_what_the_script_makes() -> None:
    module = pytest.importorskip("tensorrt_rtx", reason="needs pip install 'dcgan-edge[rtx]'")
    committed = API.tables["rtx"]
    if module.__version__ != committed["version"]:
        pytest.skip(f"the table is of {committed['version']}, installed is {module.__version__}")
    assert api_table(module, module.__version__) == committed


def test_every_module_that_touches_the_libraries_is_checked() -> None:
    doors = re.compile(r"^(tensorrt|tensorrt_rtx|cuda)(\.|$)|\.tensorrt\.library$|\.runtime\.cuda$")
    unchecked = []
    for folder in ("dcgan_edge", "export", "runtime", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = module_name(path)
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    origins = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    origins = [absolute(node, name)]
                else:
                    continue
                if any(doors.search(origin) for origin in origins) and name not in TEXTS:
                    unchecked.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert unchecked == []


def test_no_look_up_escapes_the_checker() -> None:
    """A second, cruder way to find them: attributes with names that only TensorRT's tables have."""
    tables: list[Mapping[str, Any]] = list(API.tables.values())
    used = {name for module in CHECKER.source.modules.values() for name in module.vocabulary}
    members = {m for t in tables for c in used for m in t["classes"].get(c, {}).get("members", ())}
    members |= {name for t in tables for kind in ("enums", "classes") for name in t[kind]}
    facts = [(ROOT / f"dcgan_edge/{name}.py").read_text() for name in ("artifact", "manifest")]
    trees = [ast.parse(text) for text in (*TEXTS.values(), *facts)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    ours = {node.name for node in nodes if isinstance(node, DEFINITIONS)}
    ours |= {ast.unparse(node.target) for node in nodes if isinstance(node, ast.AnnAssign)}
    pythons = {name for kind in (dict, list, set, str, Path, logging, np.ndarray) for name in dir(kind)}
    pythons |= {"name"}
    looked_up = 0
    for name, text in TEXTS.items():
        CHECKER.check(name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and node.attr in members - ours - pythons:
                looked_up += 1
                assert (node.lineno, node.attr) in CHECKER.seen, f"{name}:{node.lineno}: {node.attr}"
    assert looked_up > 80  # the code has about 100 of them; none would mean that this test is blind


def test_correct_code_is_not_refused() -> None:
    assert (
        planted(
            "for index in range(network.num_layers):",
            "    found = network.get_layer(index)",
            "    if found.type == trt.LayerType.CAST and found.get_output(0).dtype == trt.DataType.HALF:",
            "        found.set_input(0, network.get_input(0))",
            "level = optional(config, 'max_num_tactics', versions=('10.13', '10.16', '11.4', 'rtx'))",
            "memory = builder.build_serialized_network(network, config)",
            "bytes(memory)",
            "error, stream = rt.cudaStreamCreateWithFlags(rt.cudaStreamNonBlocking)",
        )
        == []
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("config.set_flag(trt.BuilderFlag.FP16)", "`BuilderFlag.FP16` is missing in 11.4, rtx"),
        ("trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH", "missing in 11.4, rtx"),
        ("config.int8_calibrator", "`IBuilderConfig.int8_calibrator` is missing in 11.4, rtx"),
        ("layer.precision = trt.DataType.FLOAT", "`ILayer.precision` is missing in 11.4, rtx"),
        ("builder.platform_has_fast_fp16", "missing in 11.4, rtx"),
        ("engine.device_memory_size", "missing in 11.4, rtx"),
        ("engine.num_bindings", "missing in 10.13, 10.16, 10.3, 11.4, rtx"),
        ("context.execute_async_v2([], 0)", "missing in"),
        ("parser.supports_model(b'')", "missing in 11.4, rtx"),
        ("config.tiling_optimization_level = 1", "missing in 10.3"),
        ("config.set_flag(trt.BuilderFlag.STRICT_NANS)", "missing in 10.3"),
        ("config.max_num_tactics", "missing in 10.3"),
        ("engine.create_runtime_config()", "missing in 10.3"),
        ("engine.get_engine_stat()", "missing in 10.13, 10.3"),
        ("trt.ComputeCapability.SM86", "`trt.ComputeCapability` is missing in 10.13, 10.16, 10.3, 11.4"),
        ("config.num_compute_capabilities = 1", "missing in 10.13, 10.16, 10.3, 11.4"),
        ("network.num_layer", "missing in 10.13, 10.16, 10.3, 11.4, rtx"),
        ("trt.nonsense()", "missing in"),
        ("rt.cudaMemPrefetchAsync_v2", "missing in 13.5.0"),
        ("rt.cudaError_t.cudaErrorNonsense", "missing in 12.8.0, 13.5.0"),
    ],
)
def test_a_name_that_some_version_lacks_is_reported(line: str, complaint: str) -> None:
    assert complaint in " ".join(planted(line))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("builder.build_serialized_network(network)", "no overload"),
        ("builder.build_serialized_network(config, network)", "no overload"),
        ("builder.build_serialized_network(network, config, 1)", "10.3: no overload"),
        ("network.add_cast(tensor, typ=trt.DataType.HALF)", "no overload"),
        ("network.add_topk(tensor, 1, 2, 3, trt.DataType.INT64)", "10.3: no overload"),
        ("trt.OnnxParser(builder, network)", "no overload"),
    ],
)
def test_a_call_that_some_version_does_not_take_is_reported(line: str, complaint: str) -> None:
    assert complaint in " ".join(planted(line))


@pytest.mark.parametrize(
    "line",
    [
        "optional(config, 'tiling_optimization_level', versions=('10.16', '11.4', 'rtx'))",  # 10.13 left out
        "optional(config, 'set_flag', versions=('10.3', '10.13', '10.16', '11.4', 'rtx'))",  # not optional
        "optional(config, 'nonsense', versions=('rtx',))",
        "optional(config, names[0], versions=('rtx',))",
        "optional(anything, 'SM86', versions=('rtx',))",
        "optional(config, 'max_num_tactics')",
    ],
)
def test_optional_names_must_state_the_versions_that_have_them(line: str) -> None:
    assert len(planted(line)) == 1


@pytest.mark.parametrize(
    "lines",
    [
        ("anything.num_layers",),
        ("hidden: Any = network", "hidden.num_layers"),
        ("hidden: str = network", "hidden.title()"),
        ("hidden: ITensor = network",),
        ("names.append(network)",),
        ("hidden = []", "hidden.append(network)"),
        ("hidden = {}", "hidden['network'] = network"),
        ("print(network.num_layers, network)",),
        ("getattr(network, 'platform_has_fast_fp16')",),
        ("if hasattr(trt.BuilderFlag, 'FP16'):", "    pass"),
        ("return network",),
        ("parser.get_subgraph_nodes(0)[0].name", "layer.metadata.x", "parser.get_error(0).nonsense()"),
        ("(lambda hidden: hidden.num_layers)(network)",),
        ("hidden = [network for _ in names]", "hidden[0].nonsense"),
        ("for _, hidden in enumerate([network]):", "    hidden.nonsense"),
        ("hidden = network if names else anything", "hidden.num_layers"),
        ("import tensorrt",),
        ("from cuda.bindings import runtime as hidden",),
        ("import dcgan_edge.runtime.tensorrt.library",),
        ("use_timings(network, Path('x'))",),
        ("Settings(network)",),
        ("class Monitor(trt.IProgressMonitor):", "    def phase_began(self) -> None: ..."),
        ("library = trt", "library.nonsense"),
        ("with network as hidden:", "    hidden.nonsense"),
    ],
    ids=lambda lines: lines[-1].strip(),
)
def test_what_the_checker_cannot_follow_is_reported(lines: tuple[str, ...]) -> None:
    assert planted(*lines, returns="object") != []


def test_code_that_only_calls_cuda_is_given_nothing_of_tensorrt() -> None:
    lenient = "def take(thing: Any) -> None:\n    thing.nonsense\n"
    strict = (
        "from typing import TYPE_CHECKING, Any\nfrom cuda_things import take\n"
        "if TYPE_CHECKING:\n    from tensorrt import Runtime\n"
        "def give(runtime: Runtime, thing: Any) -> None:\n    take(runtime)\n    take(thing)\n    take(1)\n"
    )
    checker = Checker({"cuda_things": lenient, "engine_things": strict}, API, CUDA)
    assert checker.check("cuda_things") == []
    assert [fault.split(":")[1] for fault in checker.check("engine_things")] == ["6", "7"]


def test_the_vocabulary_of_a_module_says_which_versions_it_is_for() -> None:
    body = "def f(engine: ICudaEngine) -> None:\n    engine.create_runtime_config()\n"
    head = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {} import ICudaEngine\n"
    found = {
        library: Checker({"m": head.format(library) + body}, API, CUDA).check("m")
        for library in ("tensorrt", "tensorrt_rtx")
    }
    assert found["tensorrt_rtx"] == []
    assert "missing in 10.3" in found["tensorrt"][0]


def test_tables_are_of_the_versions_that_they_are_named_after() -> None:
    assert {label: table["version"] for label, table in API.tables.items()} == {
        "10.3": "10.3.0",
        "10.13": "10.13.3.9",
        "10.16": "10.16.1.11",
        "11.4": "11.4.0.106",
        "rtx": "1.7.1.116",
    }
    assert {version: table["version"] for version, table in CUDA.items()} == {v: v for v in CUDA_VERSIONS}


def test_a_table_is_made_of_any_module() -> None:
    table = api_table(importlib.import_module("signal"), "x")
    assert "SIGKILL" in table["enums"]["Signals"]
    assert "alarm" in table["names"]
