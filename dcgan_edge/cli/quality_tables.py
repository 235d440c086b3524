"""Scores of generated images as tables on stdout; `tables` has those of everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.table import Table

from dcgan_edge.cli.tables import new_table, show

if TYPE_CHECKING:
    from dcgan_edge.claims.presets import PresetComparison
    from dcgan_edge.claims.spread import Spread
    from dcgan_edge.evaluation.evaluate import Evaluation
    from dcgan_edge.evaluation.kernel import Kid
    from dcgan_edge.evaluation.scores import Difference, Scores

SCORES: dict[str, Callable[[Scores], str]] = {
    "images": lambda s: f"{s.n:,}",
    "FID": lambda s: f"{s.fid:.3f}",
    "KID\n  95 % interval": lambda s: _kid(s.kid),
    "precision": lambda s: f"{s.precision:.3f}",
    "recall": lambda s: f"{s.recall:.3f}",
    "classes made": lambda s: f"{s.classes.covered} of {s.classes.expected}" if s.classes else "-",
    "class entropy, bits": lambda s: f"{s.classes.entropy:.3f}" if s.classes else "-",
    "class imbalance, chi2": lambda s: f"{s.classes.chi2:.4f}" if s.classes else "-",
    "exact duplicates": lambda s: f"{s.exact_duplicates:.1%}",
    "near duplicates": lambda s: f"{s.near_duplicates:.1%}",
    "copies of training images": lambda s: f"{s.copies:.1%}",
    "nearest to training, grey levels": lambda s: f"{s.nearest:.1f}",
    "speckle, grey levels": lambda s: f"{s.speckle:.2f}",
}
FIGURES = {  # of `compare_archs`: title and decimals
    "fid": ("FID", 2),
    "kid": ("KID", 4),
    "precision": ("precision", 3),
    "recall": ("recall", 3),
    "classes": ("classes made", 1),
    "speckle": ("speckle, grey levels", 2),
}
DIFFERENCES: dict[str, Callable[[Difference], str]] = {
    "FID": lambda d: f"{d.fid:+.5f}",
    "KID\n  95 % interval, paired": lambda d: _kid(d.kid, sign="+"),
    "precision": lambda d: f"{d.precision:+.4f}",
    "recall": lambda d: f"{d.recall:+.4f}",
    "largest difference, grey levels": lambda d: str(d.grey_levels),
    "mean difference, grey levels": lambda d: f"{d.mean_grey_levels:.5f}",
    "seeds seen as another class": lambda d: "-" if d.changed_class is None else f"{d.changed_class:.2%}",
}


def show_evaluation(evaluation: Evaluation) -> None:
    """Print the figures of all inputs, their differences to the first, and what they were measured on."""
    show(evaluation_table(evaluation))
    if evaluation.agreements:
        show(agreement_table(evaluation))
    if evaluation.differences:
        show(differences_table(evaluation))
    click.echo(evaluation_notes(evaluation))


def evaluation_table(evaluation: Evaluation) -> Table:
    """Return a row for each figure; the real-data baseline is the first column of values."""
    columns = {"baseline (real)": evaluation.baseline} | evaluation.judged
    table = _table("", ["baseline (real)", *_short(list(evaluation.judged))])
    for title, words in SCORES.items():
        table.add_row(title, *(words(judged.scores) for judged in columns.values()))
    return table


def differences_table(evaluation: Evaluation) -> Table:
    """Return what each input but the first has more than the first, on the same seeds."""
    first, *others = _short(list(evaluation.judged))
    table = _table(f"less {first}", others)
    for title, words in DIFFERENCES.items():
        table.add_row(title, *(words(found) for found in evaluation.differences.values()))
    return table


def agreement_table(evaluation: Evaluation) -> Table:
    """Return a row for each class: the share of the images asked for that are read as it; at the foot of all
    images.
    """
    found = evaluation.agreements
    table = _table("read as the class asked for", _short(list(found)))
    for name in dict.fromkeys(name for one in found.values() for name in one.names):
        shares = (dict(zip(one.names, one.shares, strict=True)).get(name) for one in found.values())
        table.add_row(escape(name), *("-" if share is None else f"{share:.1%}" for share in shares))
    table.add_row("all", *(f"{one.share:.1%}" for one in found.values()))
    return table


def evaluation_notes(evaluation: Evaluation) -> str:
    """Return what the figures were measured on, and what to beware of, a line each."""
    real, facts = evaluation.reference.real, evaluation.reference.extractor.facts
    lines = [
        f"Features of {facts['name']} on {facts['backend']} {facts['version']}; compared with "
        f"{len(evaluation.reference.features):,} images of {real.source} ({real.split}), and with all "
        f"{evaluation.reference.train_images:,} of them in the search for copies."
    ]
    baseline = evaluation.baseline.scores.n
    if baseline < len(evaluation.seeds):
        lines.append(
            f"Only {baseline:,} real images are held out: the baseline of FID is of so many, and too high "
            f"beside {len(evaluation.seeds):,} generated ones. KID is not affected."
        )
    return "\n".join(lines)


def show_comparison(comparison: PresetComparison) -> None:
    """Print mean and spread of each preset, and what they say about the claim."""
    show(comparison_table(comparison))
    click.echo(claim_in_words(comparison))


def comparison_table(comparison: PresetComparison) -> Table:
    """Return a row for each figure: mean and standard deviation over the runs of each preset, and the
    real-data baseline.
    """
    presets = comparison.plan.presets
    runs = {preset: [run for run in comparison.runs if run.preset == preset] for preset in presets}
    spreads = {preset: comparison.spreads(preset) for preset in presets}
    baseline = comparison.baseline()
    table = _table("", ["baseline (real)", *presets])
    table.add_row("runs", "", *(str(len(found)) for found in runs.values()))
    table.add_row("images seen by each", "", *(f"{found[0].images:,}" for found in runs.values()))
    minutes = [sum(run.seconds for run in found) / len(found) / 60 for found in runs.values()]
    table.add_row("minutes of each", "", *(f"{taken:.1f}" for taken in minutes))
    for figure, (title, digits) in FIGURES.items():
        if figure in baseline:
            values = (_spread(found[figure], digits) for found in spreads.values())
            table.add_row(title, f"{baseline[figure]:.{digits}f}", *values)
    return table


def claim_in_words(comparison: PresetComparison) -> str:
    """Say for each figure whether the claim's two presets differ by more than their runs do."""
    from dcgan_edge.claims.presets import CLAIM

    gaps = comparison.gaps()
    if not gaps:
        return f"Nothing is said of {CLAIM[0]} and {CLAIM[1]}: that takes at least two runs of each."
    lines = [f"{CLAIM[1]} less {CLAIM[0]}, 95 % interval over the runs:"]
    for figure, found in gaps.items():
        title, digits = FIGURES[figure]
        verdict = "exceeds the spread" if found.exceeds_spread else "is within the spread"
        lines.append(
            f"  {title:<22}{found.difference:+.{digits}f} [{found.low:+.{digits}f}, "
            f"{found.high:+.{digits}f}]: {verdict}"
        )
    return "\n".join(lines)


def _spread(found: Spread, digits: int) -> str:
    return f"{found.mean:.{digits}f}" + ("" if found.sd is None else f" ± {found.sd:.{digits}f}")


def _table(corner: str, names: Iterable[str]) -> Table:
    return new_table(corner, *(f">{escape(name)}" for name in names))


def _short(names: list[str]) -> list[str]:
    """As much of the end of each path as tells all of them apart."""
    parts = [Path(name).parts for name in names]
    longest = max(map(len, parts))
    enough = next(
        (k for k in range(1, longest) if len({found[-k:] for found in parts}) == len(parts)), longest
    )
    return ["/".join(found[-enough:]) for found in parts]


def _kid(found: Kid, sign: str = "") -> str:
    return f"{found.value:{sign}.5f}\n[{found.low:{sign}.5f}, {found.high:{sign}.5f}]"
