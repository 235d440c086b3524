"""Whether latent arithmetic gets the answer right, counted over many draws, where right is defined.

Two experiments, each judged by a classifier:

`class`: (mean of A) - (mean of B) + (mean of other Bs) should show A. It asks whether a class is a direction:
what is left of the Bs is noise that the answer has to bear.

`ink` and `slant`: (mean of bold 7s) - (mean of thin 7s) + (mean of thin 3s) should show a bold 3. It asks for
what the paper shows with faces: an attribute carried over to another class. Bold and thin are the upper and
the lower third of a class; right is the class of the last group, beyond that class's median.

Beside the rate of each stand the rates of other answers to the same questions: one seed per concept instead
of three; groups drawn from the whole pool, which is what the formula makes of any latents; single random
samples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dcgan_edge.errors import UsageError
from dcgan_edge.extras import need
from dcgan_edge.files import StrPath
from dcgan_edge.latent.pools import MEASURES, Classify, Pool, classified, make_pool
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.session import Backend, Session, open_session
from dcgan_edge.seeds import MAX_SEED

Places = npt.NDArray[np.int64]
CONFIDENCE = 0.95
VARIANTS = ("three per concept", "one per concept", "random groups", "random samples")
MOST_SEEDS, MOST_DRAWS = 100_000, 100_000


@dataclass(frozen=True)
class Rate:
    """`successes` of `draws`, with the Wilson interval at 95 %."""

    successes: int
    draws: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Return the rate itself, 0 to 1."""
        return self.successes / self.draws


@dataclass(frozen=True)
class ArithmeticMeasurement:
    """How often arithmetic was right: `rates` by experiment and variant, over `draws` questions each.

    `examples` are seeds to calculate with: for each class three clear ones ("any"), and the three with the
    most and the least of each attribute, such as "ink+" and "ink-". `facts` tell what was measured.
    """

    rates: dict[str, dict[str, Rate]]
    examples: dict[int, dict[str, list[int]]]
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return facts, rates with their intervals, and examples as JSON has them."""
        rates = {
            experiment: {
                variant: {"share": rate.share, **dataclasses.asdict(rate)} for variant, rate in each.items()
            }
            for experiment, each in self.rates.items()
        }
        return {**self.facts, "rates": rates, "examples": self.examples}


@dataclass(frozen=True)
class Question:
    """Three groups of three places in a pool, in the order of a - b + c, and the answer that is right."""

    groups: Places  # (3, 3)
    answer: int
    attribute: str | None = None
    threshold: float = 0.0


def measure_arithmetic(
    artifact: StrPath,
    seeds: Sequence[int] = range(2000),
    *,
    draws: int = 500,
    seed: int = 0,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ArithmeticMeasurement:
    """Count how often latent arithmetic on digits gets the answer right, judged by the digit classifier.

    The members of each class come from the samples of `seeds`; `draws` questions of each kind are drawn by
    `seed`. `progress` is told how many of the experiments' variants are done, and how many there are.

    Raises UsageError for an artifact that makes no grey digits of 28 pixels or has classes, and for numbers
    out of range,
    EdgeError when two classes have too few clear samples, UnavailableError without scipy, and what
    `open_session` raises.
    """
    from dcgan_edge.evaluation.classifier import SIZE, load_digit_features

    if not (1 <= len(seeds) <= MOST_SEEDS and 1 <= draws <= MOST_DRAWS and 0 <= seed <= MAX_SEED):
        raise UsageError(f"Arithmetic is measured on up to {MOST_SEEDS:,} seeds and {MOST_DRAWS:,} draws.")
    need("scipy", "features")
    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        architecture = session.manifest.architecture
        if (architecture.size, architecture.channels) != (SIZE, 1):
            raise UsageError(
                f"Arithmetic is judged by a classifier of grey digits of {SIZE} x {SIZE} pixels; this "
                f"artifact makes images of {architecture.size} x {architecture.size} with "
                f"{architecture.channels} channels."
            )
        if architecture.classes:
            raise UsageError(
                "Arithmetic is measured on what latents say of digits; here the class says which digit it is."
            )
        total = (1 + len(MEASURES)) * len(VARIANTS)
        found = measure(
            session,
            load_digit_features().logits,
            pool=seeds,
            draws=draws,
            seed=seed,
            progress=None if progress is None else lambda done: progress(done, total),
        )
        facts = {
            "artifact": str(artifact),
            "sha256": session.manifest.sha256,
            "session": session.facts.to_dict(),
            "seeds": [seeds[0], seeds[-1]],
            "n": len(seeds),
            "draws": draws,
            "seed": seed,
        }
    return dataclasses.replace(found, facts=facts)


def measure(
    session: Session,
    classify: Classify,
    *,
    pool: Sequence[int],
    draws: int,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> ArithmeticMeasurement:
    """Measure the rates of each experiment and variant over `draws` questions, from samples of the seeds
    `pool`.

    `progress` is told how many of the experiments' variants are done. Raises EdgeError when the pool has too
    few clear samples of two classes.
    """
    samples = make_pool(session, pool, classify)
    members = samples.members()
    random = np.random.Generator(np.random.Philox(key=seed))
    rates: dict[str, dict[str, Rate]] = {}
    done = 0
    for experiment in ("class", *MEASURES):
        figures = MEASURES[experiment](samples.images) if experiment in MEASURES else None
        questions = [_ask(members, figures, experiment, random) for _ in range(draws)]
        rates[experiment] = {}
        for variant in VARIANTS:
            images = session.run(_answers(variant, samples, questions, random))
            rates[experiment][variant] = _count(images, questions, classify)
            done += 1
            if progress:
                progress(done)
    return ArithmeticMeasurement(
        rates, {which: _examples(samples, places) for which, places in members.items()}
    )


def wilson(successes: int, draws: int) -> Rate:
    """Return the share of `successes` with its Wilson score interval (Wilson 1927), as scipy.stats has it.

    It stays inside [0, 1], and is not empty at its ends.
    """
    from scipy import stats

    interval = stats.binomtest(successes, draws).proportion_ci(CONFIDENCE, method="wilson")
    return Rate(successes, draws, float(interval.low), float(interval.high))


def _ask(
    members: Mapping[int, Places], figures: FloatArray | None, experiment: str, random: np.random.Generator
) -> Question:
    """Draw two classes, and from them the groups of `experiment`: by `figures` of the pool, if it has any."""
    a, b = random.choice(list(members), 2, replace=False).tolist()
    if figures is None:
        others = random.permutation(members[b])
        return Question(np.stack([random.permutation(members[a])[:3], others[:3], others[3:6]]), a)
    first, last = (members[c][np.argsort(figures[members[c]], kind="stable")] for c in (a, b))
    third, other_third = len(first) // 3, len(last) // 3
    thirds = (first[-third:], first[:third], last[:other_third])
    groups = np.stack([random.permutation(places)[:3] for places in thirds])
    return Question(groups, b, experiment, float(np.median(figures[last])))


def _examples(pool: Pool, places: Places) -> dict[str, list[int]]:
    chosen = {"any": places[:3]}
    for name, figure in MEASURES.items():
        ranked = places[np.argsort(figure(pool.images[places]), kind="stable")]
        chosen |= {f"{name}+": ranked[:-4:-1], f"{name}-": ranked[:3]}
    return {name: [pool.seeds[place] for place in found] for name, found in chosen.items()}


def _answers(
    variant: str, pool: Pool, questions: Sequence[Question], random: np.random.Generator
) -> FloatArray:
    """The latent (dim, 1, 1) that `variant` answers each question with, stacked."""
    if variant == "random samples":
        return pool.latents[random.integers(len(pool.latents), size=len(questions))]
    groups = np.stack([question.groups for question in questions])  # (draws, 3, 3)
    if variant == "random groups":
        groups = random.integers(len(pool.latents), size=groups.shape)
    if variant == "one per concept":
        groups = groups[:, :, :1]
    a, b, c = np.moveaxis(pool.latents[groups].mean(axis=2), 1, 0)
    return np.asarray(a - b + c, np.float32)


def _count(images: FloatArray, questions: Sequence[Question], classify: Classify) -> Rate:
    classes, _ = classified(images, classify)
    figures = {name: figure(images) for name, figure in MEASURES.items()}
    right = [
        found == question.answer
        and (question.attribute is None or float(figures[question.attribute][index]) > question.threshold)
        for index, (found, question) in enumerate(zip(classes.tolist(), questions, strict=True))
    ]
    return wilson(sum(right), len(right))
