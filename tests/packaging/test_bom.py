"""The bill of materials: CycloneDX as its own library reads it, and true of what lies beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from dcgan_edge.artifact import read_artifact
from tests.packaging.test_checking import everything


@pytest.fixture(scope="module")
def bill(bundle: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(everything(bundle)["bom.cdx.json"])
    return document


def test_it_is_sound_cyclonedx(bundle: Path) -> None:
    schema = pytest.importorskip("cyclonedx.schema", reason="cyclonedx-python-lib is not installed")
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(schema.SchemaVersion.V1_6)
    text = everything(bundle)["bom.cdx.json"].decode()
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"machine-learning-model"', '"model"')) is not None


def test_every_file_that_it_names_is_there(bundle: Path, bill: dict[str, Any]) -> None:
    files = everything(bundle)
    for part in bill["components"]:
        (digest,) = part["hashes"]
        assert (digest["alg"], digest["content"]) == (
            "SHA-256",
            hashlib.sha256(files[part["bom-ref"]]).hexdigest(),
        )
    parts = {name for name in files if name.startswith("wheels/") or name.endswith(".onnx")}
    assert {part["bom-ref"] for part in bill["components"]} == parts
    assert bill["dependencies"] == [{"ref": "bundle", "dependsOn": sorted(parts)}]


def test_the_model_card_says_what_the_manifest_says(bill: dict[str, Any], exported: Path) -> None:
    manifest, _ = read_artifact(exported / "generator.fp16.onnx")
    (model,) = (part for part in bill["components"] if part["type"] == "machine-learning-model")
    parameters = model["modelCard"]["modelParameters"]
    assert parameters["modelArchitecture"] == "dcgan"
    assert parameters["inputs"] == [{"format": "latents: float32 (batch, 16, 1, 1) NCHW"}]
    metrics = {
        each["type"]: each for each in model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    }
    worst = metrics["worst PSNR against the reference, dB"]
    assert float(worst["value"]) == pytest.approx(manifest.parity["worst_psnr_db"], rel=1e-5)  # six digits
    assert model["licenses"] == [{"license": {"name": "CC-BY-4.0"}}]


def test_licences_are_those_that_the_wheels_name(bill: dict[str, Any]) -> None:
    libraries = {part["name"]: part for part in bill["components"] if part["type"] == "library"}
    assert libraries["click"]["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert libraries["rich"]["licenses"] == [{"license": {"name": "MIT"}}]
    assert "licenses" not in libraries["numpy"]
    assert libraries["dcgan-edge"]["licenses"] == [{"expression": "Apache-2.0"}]
    assert libraries["markdown-it-py"]["purl"] == "pkg:pypi/markdown-it-py@4.3.0"
