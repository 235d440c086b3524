"""The bill of materials of a bundle: a CycloneDX 1.6 document with a model card for each generator.

It states what the manifests and the wheels' metadata state, and nothing else: a licence is that which the
wheel names, or for the generators the one that their owner gave. It has no time and no random serial number,
so that the same bundle has the same bill.

Source: CycloneDX 1.6 (ECMA-424), "machine-learning-model" and "modelCard".
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from typing import Any

from dcgan_edge import __version__
from dcgan_edge.artifact import Manifest, TensorSpec
from dcgan_edge.names import shown
from dcgan_edge.packaging.wheels import Wheel

SPEC = "1.6"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:dcgan-edge:bundle")
LONGEST_LICENSE = 80  # characters; the field "License" of old metadata may hold the whole text
METRICS = {  # key of a parity verdict -> what it is called
    "max_abs": "largest absolute difference from the reference",
    "mean_abs": "mean absolute difference from the reference",
    "worst_psnr_db": "worst PSNR against the reference, dB",
    "grey_levels": "largest difference from the reference, grey levels",
}


def bom_text(manifests: Mapping[str, Manifest], wheels: Sequence[Wheel], *, license: str = "") -> str:
    """Return the bill of the generators `manifests`, by file name, and of `wheels`, as JSON.

    `license` is the generators', an SPDX identifier or a name; "" leaves it out.
    """
    models = [_model(name, manifest, license) for name, manifest in manifests.items()]
    libraries = [_library(wheel) for wheel in wheels]
    parts = [*models, *libraries]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    document = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, digest)}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "dcgan-edge", "version": __version__}]},
            "component": {"type": "application", "name": "dcgan-edge-bundle", "bom-ref": "bundle"},
        },
        "components": parts,
        "dependencies": [{"ref": "bundle", "dependsOn": sorted(part["bom-ref"] for part in parts)}],
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _model(name: str, manifest: Manifest, license: str) -> dict[str, Any]:
    architecture = manifest.architecture
    card: dict[str, Any] = {
        "modelParameters": {
            "task": "image generation",
            "architectureFamily": "DCGAN",
            "modelArchitecture": architecture.preset,
            "inputs": [{"format": _format(manifest.inputs[0])}],
            "outputs": [{"format": _format(manifest.outputs[0])}],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(manifest.parity))},
    }
    facts = {
        "kind": manifest.kind,
        "precision": manifest.precision,
        "builder": manifest.builder,
        "parent_sha256": manifest.parent_sha256,
        "targets": " ".join(manifest.targets),
        "origin": shown(manifest.origin.file) if manifest.origin else "",
    }
    component = {
        "type": "machine-learning-model",
        "bom-ref": f"artifacts/{name}",
        "name": name,
        "version": manifest.sha256[:12],
        "hashes": [{"alg": "SHA-256", "content": manifest.sha256}],
        "modelCard": card,
        "properties": [
            {"name": f"dcgan-edge:{key}", "value": value} for key, value in facts.items() if value
        ],
    }
    return {**component, "licenses": [{"license": {"name": license}}]} if license else component


def _format(tensor: TensorSpec) -> str:
    return f"{tensor.name}: {tensor.dtype} ({', '.join(map(str, tensor.shape))}) {tensor.layout}"


def _metrics(parity: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What the export measured; an engine that was not run yet has none."""
    seeds = parity.get("seeds")
    for key, name in METRICS.items():
        if key in parity:
            over = {"slice": f"{seeds} seeds"} if isinstance(seeds, int) else {}
            yield {"type": name, "value": f"{parity[key]:g}", **over}


def _library(wheel: Wheel) -> dict[str, Any]:
    purl = f"pkg:pypi/{wheel.name.lower().replace('_', '-')}@{wheel.version}"
    component = {
        "type": "library",
        "bom-ref": f"wheels/{wheel.file}",
        "name": wheel.name,
        "version": wheel.version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
    }
    licenses = _licenses(wheel.metadata)
    return {**component, "licenses": licenses} if licenses else component


def _licenses(metadata: Message) -> list[dict[str, Any]]:
    """The licence by the newest of the three places that metadata has had for it; [] where it has none."""
    expression = metadata["License-Expression"]
    if expression:
        return [{"expression": str(expression)}]
    classifiers = [str(each) for each in metadata.get_all("Classifier") or []]
    names = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
    names = [name for name in names if name != "OSI Approved"]
    text = str(metadata["License"] or "").strip()
    if not names and text and len(text) <= LONGEST_LICENSE and text.isprintable():
        names = [text]
    return [{"license": {"name": name}} for name in names]
