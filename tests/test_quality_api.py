"""The public quality and latent functions as Python users call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dcgan_edge as de


@pytest.mark.torch
def test_an_evaluation_from_python(exported: Path, checkpoint: Path, tmp_path: Path) -> None:
    said: list[str] = []
    paths: list[str | Path] = [str(checkpoint), exported / "generator.fp16.onnx"]
    found = de.evaluate(paths, seeds=range(50), out=tmp_path / "quality", progress=said.append)
    assert list(found.judged) == [str(path) for path in paths]
    assert json.loads((tmp_path / "quality" / "eval.json").read_text())["n"] == 50
    assert said
    alone = de.evaluate(exported / "generator.fp16.onnx", seeds=range(50))
    one, other = (each.judged[str(paths[1])].scores for each in (alone, found))
    assert one.to_dict() == other.to_dict()
    for nothing in (paths[:0], [paths[0], paths[0]]):
        with pytest.raises(de.UsageError):
            de.evaluate(nothing)


def test_progress_of_a_search_ends_at_its_total(checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="the extra 'restore' is not installed")
    told: list[tuple[int, int]] = []
    plan = de.SearchPlan(steps=3, restarts=2, pool=4, batch=4)
    found = de.invert(
        str(checkpoint),
        str(tmp_path),
        count=3,
        plan=plan,
        progress=lambda done, total: told.append((done, total)),
    )
    assert (told[0], told[-1]) == ((0, 6), (6, 6))  # two batches of at most two images
    assert found.to_dict()["files"] == [str(path) for path in found.files]
    assert json.loads((tmp_path / "figures.json").read_text())["plan"]["steps"] == 3


@pytest.mark.torch
def test_an_output_that_cannot_be_written_stops_every_function_at_once(
    exported: Path, checkpoint: Path, tmp_path: Path
) -> None:
    artifact, taken = exported / "generator.fp32.onnx", tmp_path / "file"
    taken.write_text("in the way")
    for call in (
        lambda: de.evaluate(artifact, out=taken),
        lambda: de.interpolate(artifact, [1, 2], taken),
        lambda: de.latent_grid(artifact, [1, 2, 3], taken / "x.png"),
        lambda: de.latent_arithmetic(artifact, taken / "x.png", start=[1], plus=[2]),
        lambda: de.invert(checkpoint, taken),
        lambda: de.inpaint(checkpoint, taken),
        lambda: de.denoise(checkpoint, taken),
        lambda: de.stylize(checkpoint, taken),
        lambda: de.classify_features(checkpoint, output=taken / "x.json"),
        lambda: de.visualize_filters(checkpoint, taken),
        lambda: de.compare_presets(taken, epochs=1),
    ):
        with pytest.raises(de.EdgeError, match="Cannot write"):
            call()
