"""Reads what a report is made of from files: benchmark records, artifacts with their manifests, a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from dcgan_edge.artifact import SUFFIX_KINDS, Manifest, read_artifact, read_file
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.report.content import ReportContent
from dcgan_edge.report.fleet import model
from dcgan_edge.report.incidents import read_metrics
from dcgan_edge.report.rows import labels
from dcgan_edge.runtime.bench.record import BenchReport, read_report
from dcgan_edge.runtime.parity import Gate, Parity
from dcgan_edge.walk import walk


def gather(
    records: Sequence[Path],
    *,
    artifacts: Path | None = None,
    samples: Path | None = None,
    training: Path | None = None,
    title: str | None = None,
) -> ReportContent:
    """The content of a report on `records`, each a run, named by its file.

    `artifacts` is a folder of .onnx and .engine files, whose manifests tell parity; `samples` is a PNG;
    `training` is the metrics.jsonl of a training run, or its folder.
    Raises UsageError when something is not there or given twice, ArtifactError when it is not ours.
    """
    resolved = [path.resolve() for path in records]
    for path in records:
        if resolved.count(path.resolve()) > 1:
            raise UsageError(f"{path} was given twice; a run cannot be compared with itself.")
    runs = {name: read_report(path) for name, path in zip(_names(records), records, strict=True)}
    found = _artifacts(artifacts) if artifacts else []
    architectures = {manifest.architecture for _, manifest in found}
    return ReportContent(
        title=title or _title(runs),
        architecture=architectures.pop() if len(architectures) == 1 else None,
        metrics=read_metrics(training) if training else (),
        samples=read_file(samples) if samples else None,
        artifacts=found,
        parity={name: parity for name, manifest in found if (parity := _parity(name, manifest))},
        runs=runs,
        notes=_exchanged(runs, found),
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """File names without .json, with as many folders as it takes to tell them apart."""
    full = list(labels(map(str, paths)).values())
    short = [name.removesuffix(".json") for name in full]
    return short if len(set(short)) == len(full) else full


def _title(runs: dict[str, BenchReport]) -> str:
    names = list(runs)
    if not names:
        return "Training"
    if len(names) == 1:
        return f"Benchmark on {model(runs[names[0]])}"
    return f"{names[1]} against {names[0]}" if len(names) == 2 else f"A fleet of {len(names)} boards"


def _artifacts(folder: Path) -> list[tuple[str, Manifest]]:
    """(file name, manifest) of all artifacts in `folder`, their hashes checked."""
    files = walk(folder, recursive=False).files if folder.is_dir() else ()
    paths = [file.path for file in files if file.path.suffix.lower() in SUFFIX_KINDS]
    if not paths:
        raise UsageError(f"There are no artifacts (.onnx, .engine) in {folder}.")
    return [(path.name, read_artifact(path)[0]) for path in paths]


def _parity(name: str, manifest: Manifest) -> Parity | None:
    """The verdict in a manifest with its numbers; None where parity was not measured."""
    facts = manifest.parity
    if facts.get("verdict") not in ("passed", "failed"):
        return None
    try:
        gate = facts["gate"]
        parity = Parity(
            seeds=int(facts["seeds"]),
            max_abs=float(facts["max_abs"]),
            mean_abs=float(facts["mean_abs"]),
            worst_psnr_db=float(facts["worst_psnr_db"]),
            worst_seed=int(facts["worst_seed"]),
            grey_levels=int(facts["grey_levels"]),
            pixels_differ=float(facts["pixels_differ"]),
            not_finite=int(facts["not_finite"]),
            gate=Gate(
                None if gate["atol"] is None else float(gate["atol"]),
                float(gate["psnr_db"]),
                None if gate["grey_levels"] is None else int(gate["grey_levels"]),
                str(gate["why"]),
            ),
            missed=tuple(map(str, facts["missed"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"The parity in the manifest of {name} is damaged ({error!r}).") from error
    if parity.passed != (facts["verdict"] == "passed"):
        raise ArtifactError(f"The manifest of {name} says {facts['verdict']}, and its figures say otherwise.")
    return parity


def _exchanged(runs: dict[str, BenchReport], found: list[tuple[str, Manifest]]) -> list[str]:
    """What was measured under the name of an artifact that is here, and is another file."""
    hashes = {name: manifest.sha256 for name, manifest in found}
    notes = []
    for run, report in runs.items():
        for measurement in report.measurements:
            name = PurePath(measurement.name).name
            if hashes.get(name, measurement.sha256) != measurement.sha256:
                notes.append(f"{name} was measured in {run} as another file than the one described here.")
    return list(dict.fromkeys(notes))
