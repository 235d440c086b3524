"""The presets against each other: the same data, the same budget, several seeds each, one evaluation of all.

What DCGAN's claim to be better than the fully connected GAN is measured by. Every run has its own folder, and
a comparison that was interrupted goes on with what is there.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dcgan_edge.artifact import Architecture
from dcgan_edge.claims.runs import Bar, TrainedRun, check_equal, no_bar, trained_run
from dcgan_edge.claims.spread import Gap, Spread, gap, spread
from dcgan_edge.data import native_channels, native_size
from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.evaluate import FEWEST, MOST_SEEDS, Evaluation, evaluate_generators
from dcgan_edge.evaluation.extractor import FeatureExtractor, Features, load_extractor
from dcgan_edge.evaluation.pictures import rows_png
from dcgan_edge.evaluation.scores import Scores
from dcgan_edge.export.onnx.reference import TorchSession
from dcgan_edge.extras import need
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.images import PixelArray
from dcgan_edge.models import PRESETS, build_generator
from dcgan_edge.recipes import recipe_settings
from dcgan_edge.training import TrainConfig

FIGURES: dict[str, Callable[[Scores], float | None]] = {
    "fid": lambda scores: scores.fid,
    "kid": lambda scores: scores.kid.value,
    "precision": lambda scores: scores.precision,
    "recall": lambda scores: scores.recall,
    "classes": lambda scores: scores.classes.covered if scores.classes else None,
    "speckle": lambda scores: scores.speckle,
}
CLAIM = ("dcgan", "gan")  # the first is said to be the better one
DEFAULT_EPOCHS, MOST_RUNS, MOST_WIDTH = 30, 100, 4096
SHOWN = 12  # samples of each preset in the picture, of the seeds from 0 on: nothing is picked


@dataclass(frozen=True)
class ComparisonPlan:
    """What is compared: `runs` trainings (of the seeds 0 to `runs` - 1) of each of `presets`.

    The budget is `epochs`, the same number of images for all, or else `minutes`; `batch` None is that of the
    `recipe`. Images of the latent `seeds` are made by each generator and scored.
    """

    presets: tuple[str, ...]
    size: int
    channels: int
    width: int
    runs: int = 3
    epochs: int | None = None
    minutes: float | None = None
    data: str = "digits"
    recipe: str = "paper"
    batch: int | None = None
    seeds: Sequence[int] = range(1000)
    device: str = "auto"

    def config(self, preset: str, seed: int) -> TrainConfig:
        """Return the request of one run. Raises UsageError when the preset has no such size, there is no such
        recipe, or not one budget.
        """
        settings = recipe_settings(self.recipe, size=self.size)
        if self.batch is not None:
            settings["batch"] = self.batch
        return TrainConfig(
            Architecture(preset, self.size, self.channels, self.width),
            data=self.data,
            epochs=self.epochs,
            minutes=self.minutes,
            seed=seed,
            device=self.device,
            precision="fp32",  # "auto" could choose otherwise for another preset
            **settings,
        )


@dataclass(frozen=True)
class PresetComparison:
    """All runs of a plan, and one evaluation of them on the same seeds."""

    plan: ComparisonPlan
    runs: tuple[TrainedRun, ...]
    evaluation: Evaluation

    def spreads(self, preset: str) -> dict[str, Spread]:
        """Return each of FIGURES that these features give, over the runs of `preset`."""
        scores = [self.evaluation.judged[run.name].scores for run in self.runs if run.preset == preset]
        measured = {figure: [read(score) for score in scores] for figure, read in FIGURES.items()}
        found = {name: [v for v in values if v is not None] for name, values in measured.items()}
        return {name: spread(values) for name, values in found.items() if values}

    def baseline(self) -> dict[str, float]:
        """Return each of FIGURES for real images that were held out."""
        found = {name: read(self.evaluation.baseline.scores) for name, read in FIGURES.items()}
        return {name: value for name, value in found.items() if value is not None}

    def gaps(self) -> dict[str, Gap]:
        """Return what the second of CLAIM has more than the first; {} unless both were run at least twice."""
        if not set(CLAIM) <= set(self.plan.presets):
            return {}
        better, worse = (self.spreads(preset) for preset in CLAIM)
        found = {figure: gap(worse[figure], better[figure]) for figure in better}
        return {figure: difference for figure, difference in found.items() if difference}

    def save(self, out: StrPath) -> list[Path]:
        """Write comparison.json and samples.png into the folder `out`, and return their paths.

        Raises EdgeError when one cannot be written.
        """
        contents = {
            "comparison.json": json.dumps({"schema_version": 1, **self.to_dict()}, indent=1).encode(),
            "samples.png": rows_png(self.samples()),
        }
        for name, data in contents.items():
            write_atomic(Path(out) / name, data)
        return [Path(out) / name for name in contents]

    def samples(self) -> dict[str, PixelArray]:
        """Return the first images of the first run of each preset, and real ones that were held out."""
        first = {run.preset: run.name for run in reversed(self.runs)}
        judged = self.evaluation.judged
        made = {preset: judged[first[preset]].pixels[:SHOWN] for preset in self.plan.presets}
        return made | {"real": self.evaluation.baseline.pixels[:SHOWN]}

    def to_dict(self) -> dict[str, Any]:
        """Return every figure of every run, then the means, as JSON has them."""
        whole = self.evaluation.to_dict()
        return {
            "plan": {**vars(self.plan), "seeds": [self.plan.seeds[0], self.plan.seeds[-1]]},
            **{name: whole[name] for name in ("data", "split", "real_images", "features", "n", "baseline")},
            "runs": [
                {
                    **dataclasses.asdict(run),
                    "checkpoint": str(run.checkpoint),
                    "scores": self.evaluation.judged[run.name].scores.to_dict(),
                }
                for run in self.runs
            ],
            "presets": {
                preset: {
                    "generator_parameters": generator_parameters(self.plan.config(preset, 0).architecture),
                    **{name: dataclasses.asdict(found) for name, found in self.spreads(preset).items()},
                }
                for preset in self.plan.presets
            },
            "gap": {
                "of": f"{CLAIM[1]} less {CLAIM[0]}",
                **{name: dataclasses.asdict(found) for name, found in self.gaps().items()},
            },
        }


def compare_presets(
    out: StrPath, data: str = "digits", *,
    presets: Sequence[str] = (), runs: int = 3, epochs: int | None = None, minutes: float | None = None,
    width: int = 32, size: int | None = None, recipe: str = "paper", batch: int | None = None,
    seeds: Sequence[int] = range(1000),
    features: Features = "digits", weights: StrPath | None = None, device: str = "auto",
    progress: Callable[[str], None] = lambda step: None,
    bar: Callable[[], Bar] = no_bar,
) -> PresetComparison:  # fmt: skip
    """Train each of `presets` (empty: all) `runs` times alike, and score them all on the images of `seeds`.

    The budget of each run is `epochs` (30 where neither is given) or `minutes`, `recipe` how it is trained,
    in batches of `batch` images (None: the recipe's). Every run has its folder
    `out`/<preset>/seed<n>, and those that are there are kept, so that an interrupted comparison goes on with
    the same call; comparison.json and samples.png are written into `out` at the end. `features` and `weights`
    are those of `evaluate`, `size` None is that of the data, `device` is where training runs. `progress` is
    told each step; `bar` is opened for each training, and what it yields is told the progress of `train`.

    Raises UsageError for a preset, a size or a budget that cannot be, UnavailableError for a library or a
    device that is not here, and EdgeError when `out` cannot be written.
    """
    need("scipy", "features")
    if epochs is not None and minutes is not None:
        raise UsageError("Give --epochs or --minutes, not both.")
    unknown = [name for name in presets if name not in PRESETS]
    if unknown:
        raise UsageError(f"There is no preset {unknown[0]!r}; there are {', '.join(PRESETS)}.")
    if not 1 <= width <= MOST_WIDTH:
        raise UsageError(f"Networks are 1 to {MOST_WIDTH:,} wide, not {width}.")
    if not 1 <= runs <= MOST_RUNS:
        raise UsageError(f"Each preset is trained 1 to {MOST_RUNS} times, not {runs}.")
    if not FEWEST <= len(set(seeds)) <= MOST_SEEDS:
        raise UsageError(
            f"Presets are compared on {FEWEST} to {MOST_SEEDS:,} seeds, not {len(set(seeds)):,}."
        )
    check_writable(Path(out) / "comparison.json")
    plan = ComparisonPlan(
        presets=tuple(dict.fromkeys(presets)) or tuple(PRESETS),
        size=size or native_size(data),
        channels=native_channels(data),
        width=width,
        runs=runs,
        epochs=DEFAULT_EPOCHS if epochs is None and minutes is None else epochs,
        minutes=minutes,
        data=data,
        recipe=recipe,
        batch=batch,
        seeds=seeds,
        device=device,
    )
    comparison = compare_architectures(
        plan, Path(out), load_extractor(features, weights), on_step=progress, bar=bar
    )
    comparison.save(out)
    return comparison


def compare_architectures(
    plan: ComparisonPlan,
    out: Path,
    extractor: FeatureExtractor,
    *,
    on_step: Callable[[str], None],
    bar: Callable[[], Bar] = no_bar,
) -> PresetComparison:
    """Train what is not yet trained in `out`/<preset>/seed<n>, then score everything on the same seeds.

    `bar` is opened for each training and closed after it; what it yields is told the progress. Ctrl-C keeps
    the run in progress, and the same call goes on with it.

    Raises what `train` and `evaluate` raise, and UsageError when a run in `out` has had another budget than
    the others.
    """
    wanted = [(preset, seed) for seed in range(plan.runs) for preset in plan.presets]
    configs = {(preset, seed): plan.config(preset, seed) for preset, seed in wanted}
    extractor.features(np.zeros((1, plan.channels, plan.size, plan.size), np.float32))  # refused now or never
    runs = []
    for number, (preset, seed) in enumerate(wanted, start=1):
        on_step(f"run {number} of {len(wanted)}: {preset}, seed {seed}")
        runs.append(trained_run(configs[preset, seed], out / preset / f"seed{seed}", bar))
    if plan.epochs is not None:
        check_equal(runs)
    openers = {run.name: functools.partial(TorchSession, run.checkpoint) for run in runs}
    found = evaluate_generators(openers, plan.data, extractor, plan.seeds, progress=on_step)
    return PresetComparison(plan, tuple(runs), found)


def generator_parameters(architecture: Architecture) -> int:
    """Return the number of weights of a generator, without making them."""
    import torch

    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_generator(architecture).parameters())
