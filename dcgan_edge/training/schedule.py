"""The learning rate over a run: a function of the share of the budget that is used.

With epochs as the budget that share counts steps, so that a run which was stopped and resumed has the very
rates of one that was not. With minutes it follows the clock of the run, which counts all its parts.
"""

from __future__ import annotations

from dcgan_edge.recipes import Recipe
from dcgan_edge.training.config import TrainConfig


def learning_rate(recipe: Recipe, fraction: float) -> float | None:
    """Return the learning rate of Adam where `fraction` of the budget is used, 0 to 1.

    It is the recipe's up to `decay_from`, and from there falls in a straight line to 0 at the end. It is None
    where it never changes.
    """
    if recipe.decay_from == 1.0:
        return None
    if fraction <= recipe.decay_from:
        return recipe.learning_rate
    return recipe.learning_rate * max(0.0, 1.0 - fraction) / (1.0 - recipe.decay_from)


def schedule_change(before: TrainConfig, now: TrainConfig) -> str:
    """Return in a sentence what a resumed run's new budget does to its learning rate; "" if nothing."""
    budgets = (before.epochs, before.minutes), (now.epochs, now.minutes)
    if now.decay_from == 1.0 or budgets[0] == budgets[1]:
        return ""
    return (
        f"The learning rate follows the budget, now {_budget(now)} instead of {_budget(before)}: it goes on "
        "from what it is at this share of the new one, and falls to 0 from "
        f"{now.decay_from:.0%} of that on."
    )


def _budget(config: TrainConfig) -> str:
    if config.minutes is not None:
        return f"{config.minutes:g} minute{'s' if config.minutes != 1 else ''}"
    return f"{config.epochs:,} epoch{'s' if config.epochs != 1 else ''}"
