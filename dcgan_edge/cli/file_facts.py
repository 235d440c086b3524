"""The facts of a file in headings and lines for people: what `info` prints of a manifest or a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcgan_edge.classes import listed
from dcgan_edge.words import count_words, distribution_words, size_words

Lines = dict[str, str]
KINDS = {
    "onnx": "ONNX file",
    "engine": "TensorRT engine",
    "checkpoint": "checkpoint",
    "generator": "checkpoint of a generator from elsewhere",
}


def sections(facts: Mapping[str, Any]) -> dict[str, Lines]:
    """Return {heading: {label: value}} for the facts that `describe` returned, empty sections left out."""
    readers = {"checkpoint": _checkpoint, "generator": _imported}
    found = readers.get(facts["kind"], _artifact)(facts)
    return {heading: lines for heading, lines in found.items() if lines}


def _artifact(facts: Mapping[str, Any]) -> dict[str, Lines]:
    tensors = {
        f"{role} {tensor['name']}": _tensor(tensor)
        for role, listed in (("input", facts["inputs"]), ("output", facts["outputs"]))
        for tensor in listed
    }
    batch = facts["batch"]
    return {
        f"{_title(facts, facts['size'])}, {facts['precision']}": {"file": facts["path"]},
        "Generator": _architecture(facts["architecture"])
        | tensors
        | {"batch": f"{batch['min']} to {batch['max']} images per call, tuned for {batch['opt']}"},
        "Work for one image": _cost(facts.get("cost") or {}),
        f"Parity with {facts['parity'].get('reference', 'PyTorch')}": _parity(facts["parity"]),
        "Origin": {
            "builder": facts["builder"],
            "built for": ", ".join(facts["targets"]),
            "versions": _listed(facts["versions"]),
            **_came_from(facts.get("origin")),
            **{f"built on {key}": str(value) for key, value in facts["built_on"].items()},
            **_flat({**facts["notes"], **_workspace(facts["notes"])}),
            "parent SHA-256": facts["parent_sha256"],
            "SHA-256": facts["sha256"],
        },
    }


def _checkpoint(facts: Mapping[str, Any]) -> dict[str, Lines]:
    config = dict(facts["config"])
    architecture = config.pop("architecture")
    return {
        f"{_title(facts, facts['bytes'])}, {facts['tensors']:,} tensors": {"file": facts["path"]},
        "Generator": _architecture(architecture),
        "Training so far": {
            "progress": f"step {facts['step']:,}, epoch {facts['epoch']:,}",
            "images in the data": f"{facts['images']:,}",
            "time": f"{facts['elapsed_seconds']:,.0f} s",
            "arithmetic": facts["precision"],
        },
        "Configuration": _flat({name: value for name, value in config.items() if value is not None}),
        "Origin": {"versions": _listed(facts["versions"]), "SHA-256": facts["sha256"]},
    }


def _imported(facts: Mapping[str, Any]) -> dict[str, Lines]:
    """Return what a checkpoint says of a generator that was not trained here."""
    generator = facts["generator"]
    layers = [layer["kind"].replace("_", " ") for layer in generator["layers"]]
    return {
        f"{_title(facts, facts['bytes'])}, {facts['tensors']:,} tensors": {"file": facts["path"]},
        "Generator": _architecture(generator["architecture"]) | {"layers": ", ".join(layers)},
        "Origin": _came_from(generator["origin"]) | {"SHA-256": facts["sha256"]},
    }


def _came_from(origin: Mapping[str, Any] | None) -> Lines:
    """Return what is known of the file that a generator came from, nothing if it was trained here."""
    if not origin:
        return {}
    return {
        "came from": f"{origin['file']} ({origin['kind']})",
        "proof": origin["proof"],
        "assumed": "; ".join(origin["assumptions"]),
        "notes": " ".join(origin["notes"]),
        "its SHA-256": origin["sha256"],
    }


def _title(facts: Mapping[str, Any], size: int) -> str:
    return f"{Path(facts['path']).name}: {KINDS[facts['kind']]}, {size_words(size)}"


def _architecture(facts: Mapping[str, Any]) -> Lines:
    channels = count_words(facts["channels"], "channel")
    return {
        "preset": f"{facts['preset']}, width {facts['width']}" if facts["width"] else facts["preset"],
        "images": f"{facts['size']} x {facts['size']} pixels, {channels}",
        "latents": f"{facts['latent_dim']} numbers, {facts['distribution']} distribution",
        "classes": listed(facts.get("classes") or ()),
    }


def _tensor(facts: Mapping[str, Any]) -> str:
    bounds = "" if facts["range"] is None else f", in [{facts['range'][0]:g}, {facts['range'][1]:g}]"
    return f"{facts['dtype']} {' x '.join(map(str, facts['shape']))} ({facts['layout']}){bounds}"


def _cost(facts: Mapping[str, Any]) -> Lines:
    if not facts:
        return {}
    lines = {"arithmetic": f"{facts['flops'] / 1e6:,.1f} million FLOPs"}
    for key, label in (("weight_bytes", "weights"), ("peak_activation_bytes", "largest memory")):
        if key in facts:
            lines[label] = size_words(int(facts[key]))
    return lines


def _parity(facts: Mapping[str, Any]) -> Lines:
    lines = {"verdict": str(facts.get("verdict", "not run")).replace("_", " ")}
    if "reason" in facts:
        lines["reason"] = str(facts["reason"])
    if "max_abs" in facts:
        levels = count_words(facts["grey_levels"], "grey level")
        lines |= {
            "differences": f"{facts['max_abs']:.1e} at most, {facts['mean_abs']:.1e} in the mean; {levels}",
            "worst PSNR": f"{facts['worst_psnr_db']:.1f} dB, seed {facts['worst_seed']}",
            "pixels that differ": f"{facts['pixels_differ']:.3%} of {count_words(facts['seeds'], 'image')}",
        }
    if said := distribution_words(facts.get("distribution")):
        lines["distribution"] = said
    measured = facts.get("measured_on") or {}
    if measured:
        lines["measured on"] = f"{measured['backend']} {measured['version']}, {measured.get('device', 'cpu')}"
    return lines


def _workspace(notes: Mapping[str, Any]) -> Lines:
    return {"workspace": size_words(int(notes["workspace"]))} if "workspace" in notes else {}


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Lines:
    """Return nested facts as lines, the names of what is inside behind those of what holds it."""
    lines: Lines = {}
    for key, value in facts.items():
        label = f"{prefix}{str(key).replace('_', ' ')}"
        if isinstance(value, Mapping):
            lines |= _flat(value, f"{label} ")
        elif isinstance(value, list | tuple):
            shown = "; ".join(_listed(each) if isinstance(each, Mapping) else str(each) for each in value)
            lines |= {label: shown} if shown else {}
        elif value not in ("", None):
            lines[label] = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    return lines


def _listed(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in facts.items())
