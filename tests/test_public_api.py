"""The public names: which there are, that they cost nothing to import, and that each says what it does."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dcgan_edge

FUNCTIONS = {
    "adopt", "animate", "bench", "bench_plan", "build", "check_bundle", "check_samples", "classify_features",
    "compare_presets", "denoise", "describe", "diagnose", "evaluate", "export", "export_module",
    "feature_sums", "fetch", "fid", "import_generator", "inpaint", "interpolate", "invert",
    "latent_arithmetic", "latent_grid", "measure_arithmetic", "open_session", "prepare", "run_demo",
    "run_fleet", "sample", "selftest", "serve", "stylize", "train", "tune", "verify", "visualize_filters",
    "write_bundle", "write_report", "write_triton_repository",
}  # fmt: skip
TYPES = {
    "ArithmeticMeasurement", "Artifact", "ArtifactError", "BenchReport", "BenchmarkError", "BuiltEngine",
    "Bundle", "CheckedBundle", "CheckedSamples", "DemoResult", "Diagnosis", "Drawing", "EdgeError",
    "EngineOptions", "Evaluation", "FeatureAccuracies", "FeatureSums", "Fetched", "FilterPictures",
    "FleetRun", "HostRow", "Imported", "Manifest", "Prepared", "PresetComparison", "Restored", "Sampled",
    "SearchPlan", "SelfTest", "Served", "Session", "SessionFacts", "TrainEvent", "TrainProgress",
    "TrainResult", "TritonModel", "Tuned", "UnavailableError", "UsageError", "VerificationError",
    "WrittenScore",
}  # fmt: skip
ON_A_DEVICE = (
    "Artifact", "bench", "check_bundle", "describe", "diagnose", "open_session", "sample", "selftest",
    "tune", "verify",
)  # fmt: skip
PACKAGE = Path(str(dcgan_edge.__file__)).parent
FOLDERS = [PACKAGE, *(Path(str(importlib.import_module(f"dcgan_edge.{name}").__file__)).parent
                      for name in ("export", "runtime"))]  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert set(dcgan_edge.__all__) == FUNCTIONS | TYPES
    assert list(dcgan_edge.__all__) == sorted(dcgan_edge.__all__)
    assert set(dcgan_edge.__all__) <= set(dir(dcgan_edge))


def fresh(code: str) -> list[str]:
    """The words that `code` prints in a new interpreter."""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return answer.stdout.split()


def test_importing_the_package_loads_nothing_of_others() -> None:
    others = "{name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)"
    code = f"import sys; before = set(sys.modules); import dcgan_edge; print(*{others})"
    assert fresh(code) == ["dcgan_edge"]


@pytest.mark.parametrize("name", ON_A_DEVICE)
def test_what_a_device_uses_loads_no_framework(name: str) -> None:
    heavy = {"torch", "onnx", "onnxruntime", "tensorrt", "matplotlib", "jinja2", "scipy", "safetensors"}
    code = f"import sys, dcgan_edge; dcgan_edge.{name}; print(*{heavy} & set(sys.modules))"
    assert fresh(code) == []


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="generate_images"):
        _ = dcgan_edge.generate_images


def resolved(name: str) -> Any:
    """The public thing `name`; for `export`, which is a package too, the function behind it."""
    if name == "export":
        return importlib.import_module("dcgan_edge.export.pipeline").export
    return getattr(dcgan_edge, name)


@pytest.mark.torch
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_public_function_is_typed_and_explained(name: str) -> None:
    function = resolved(name)
    signature = inspect.signature(function)
    assert signature.return_annotation is not signature.empty
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    assert all(p.annotation is not p.empty for p in signature.parameters.values())
    assert len(inspect.getdoc(function) or "") > 50


@pytest.mark.torch
@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_public_type_is_explained(name: str) -> None:
    assert isinstance(resolved(name), type)
    assert resolved(name).__doc__


def undocumented(body: list[ast.stmt], path: str) -> Iterator[str]:
    """Functions, classes and methods of `body` without a leading underscore and without a docstring."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name[0] != "_":
            if ast.get_docstring(node) is None:
                yield f"{path}:{node.lineno}: {node.name}"
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node.body, path)


def test_everything_public_has_a_docstring() -> None:
    files = {path.resolve() for folder in FOLDERS for path in folder.rglob("*.py")}
    assert len(files) > 100
    missing = [
        line for path in sorted(files) for line in undocumented(ast.parse(path.read_text()).body, str(path))
    ]
    assert missing == []
