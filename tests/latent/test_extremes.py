"""Numbers that break programs, given to the functions behind the commands: a sentence, or pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dcgan_edge as de
from dcgan_edge.errors import EdgeError

WHOLE = [0, -1, 10**18, 2**64, -(10**30)]
REAL = [0.0, -1.0, 1e18, 1e300, -1e300, math.nan, math.inf, -math.inf]
Make = Callable[[Path, Path, Path, Any], object]  # artifact, checkpoint, folder, value

DRAWINGS: dict[str, tuple[Make, list[Any]]] = {
    "steps of a walk": (lambda a, _, out, v: de.interpolate(a, [1, 2], out, steps=v, formats=["png"]), WHOLE),
    "frames": (lambda a, _, out, v: de.interpolate(a, [1, 2], out, steps=2, per_second=v), REAL),
    "scale of a walk": (lambda a, _, out, v: de.interpolate(a, [1, 2], out, steps=2, scale=v), WHOLE),
    "seeds of a walk": (lambda a, _, out, v: de.interpolate(a, [1, v], out, steps=2), WHOLE),
    "rows": (lambda a, _, out, v: de.latent_grid(a, [1, 2, 3], out / "g.png", rows=v), WHOLE),
    "columns": (lambda a, _, out, v: de.latent_grid(a, [1, 2, 3], out / "g.png", columns=v), WHOLE),
    "large grid": (
        lambda a, _, out, v: de.latent_grid(a, [1, 2, 3], out / "g.png", rows=v, columns=v, scale=64),
        [1000, 10_000],
    ),
    "noise": (
        lambda a, _, out, v: de.latent_arithmetic(a, out / "s.png", start=[1], plus=[2], noise=v), REAL
    ),
    "noise seed": (
        lambda a, _, out, v: de.latent_arithmetic(a, out / "s.png", start=[1], plus=[2], seed=v), WHOLE
    ),
    "draws": (lambda a, _, out, v: de.measure_arithmetic(a, range(20), draws=v), WHOLE),
    "threads": (lambda a, _, out, v: de.latent_grid(a, [1, 2, 3], out / "g.png", threads=v), WHOLE),
    "evaluated seeds": (lambda a, _, out, v: de.evaluate(a, seeds=range(v)), [0, 1, 10**7, 10**18]),
}  # fmt: skip
QUICK = de.SearchPlan(steps=1, restarts=1, pool=2)
RESTORED: dict[str, tuple[Make, list[Any]]] = {
    "images": (lambda _, c, out, v: de.invert(c, out, count=v, plan=QUICK), WHOLE),
    "first": (lambda _, c, out, v: de.invert(c, out, count=1, first=v, plan=QUICK), WHOLE),
    "shown": (lambda _, c, out, v: de.invert(c, out, count=2, shown=v, plan=QUICK), WHOLE),
    "scale": (lambda _, c, out, v: de.invert(c, out, count=1, scale=v, plan=QUICK), WHOLE),
    "steps": (lambda _, c, out, v: de.invert(c, out, count=1, plan=de.SearchPlan(steps=v, pool=8)), WHOLE),
    "restarts": (lambda _, c, out, v: de.invert(c, out, count=1, plan=de.SearchPlan(restarts=v)), WHOLE),
    "pool": (lambda _, c, out, v: de.invert(c, out, count=1, plan=de.SearchPlan(steps=1, pool=v)), WHOLE),
    "plan seed": (
        lambda _, c, out, v: de.invert(c, out, count=1, plan=de.SearchPlan(steps=1, pool=8, seed=v)), WHOLE
    ),
    "learning rate": (
        lambda _, c, out, v: de.invert(c, out, count=1, plan=de.SearchPlan(steps=1, pool=8, learning_rate=v)),
        REAL,
    ),
    "lambda": (
        lambda _, c, out, v: de.invert(c, out, count=1, plan=de.SearchPlan(steps=1, pool=8, prior=v)), REAL
    ),
    "missing": (lambda _, c, out, v: de.inpaint(c, out, count=1, missing=v, plan=QUICK), REAL),
    "sigma": (lambda _, c, out, v: de.denoise(c, out, count=1, sigma=v, plan=QUICK), REAL),
    "runs": (lambda _, c, out, v: de.classify_features(c, labels=[10], runs=v, methods=["pixels"]), WHOLE),
    "labels": (lambda _, c, out, v: de.classify_features(c, labels=[v], runs=1, methods=["pixels"]), WHOLE),
    "filters": (lambda _, c, out, v: de.visualize_filters(c, out, count=8, filters=v, each=2), WHOLE),
    "each": (lambda _, c, out, v: de.visualize_filters(c, out, count=8, filters=2, each=v), WHOLE),
    "pictures": (
        lambda _, c, out, v: de.visualize_filters(c, out, count=v, filters=2, each=1), [0, -1, 10**18]
    ),
    "presets' runs": (lambda _, c, out, v: de.compare_presets(out, runs=v, epochs=1), WHOLE),
    "epochs": (lambda _, c, out, v: de.compare_presets(out, epochs=v), [0, -1]),
    "minutes": (lambda _, c, out, v: de.compare_presets(out, minutes=v), [0.0, -1.0, math.nan, math.inf]),
    "width": (lambda _, c, out, v: de.compare_presets(out, width=v, epochs=1), WHOLE),
    "size": (lambda _, c, out, v: de.compare_presets(out, size=v, epochs=1), [-1, 10**18]),
    "batch": (lambda _, c, out, v: de.compare_presets(out, batch=v, epochs=1), [0, -1, 10**18]),
}  # fmt: skip


def is_a_sentence_or_works(make: Make, artifact: Path, checkpoint: Path, out: Path, value: Any) -> None:
    found: EdgeError | None = None
    try:
        make(artifact, checkpoint, out, value)
    except EdgeError as error:
        found = error
    if found is not None:
        assert found.exit_code in (1, 2), found
        assert len(str(found)) < 500


def pairs(cases: dict[str, tuple[Make, list[Any]]]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.sampled_from([(name, value) for name, (_, values) in cases.items() for value in values])


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(pairs(DRAWINGS))
def test_drawings(exported: Path, tmp_path_factory: pytest.TempPathFactory, case: tuple[str, Any]) -> None:
    artifact, (name, value) = exported / "generator.fp32.onnx", case
    is_a_sentence_or_works(DRAWINGS[name][0], artifact, artifact, tmp_path_factory.mktemp("drawn"), value)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(pairs(RESTORED))
def test_restorations(
    checkpoint: Path, tmp_path_factory: pytest.TempPathFactory, case: tuple[str, Any]
) -> None:
    pytest.importorskip("skimage", reason="the extra 'restore' is not installed")
    name, value = case
    is_a_sentence_or_works(
        RESTORED[name][0], checkpoint, checkpoint, tmp_path_factory.mktemp("restored"), value
    )
