"""The named recipes: what stands in them, and that the paper's is the paper's."""

from __future__ import annotations

import dataclasses

import pytest

from dcgan_edge.errors import UsageError
from dcgan_edge.recipes import DEFAULT_RECIPE, RECIPES, DiscriminatorDesign, Recipe, recipe_settings


def test_the_papers_recipe_is_the_papers() -> None:
    """arXiv:1511.06434, section 4: Adam 2e-4 with beta1 0.5, batches of 128, BatchNorm, cross-entropy."""
    paper = RECIPES["paper"]
    assert (paper.batch, paper.learning_rate, paper.beta1, paper.beta2) == (128, 2e-4, 0.5, 0.999)
    assert (paper.loss, paper.decay_from) == ("cross-entropy", 1.0)
    assert paper.discriminator == DiscriminatorDesign("batch", 0)
    assert paper == Recipe()


def test_a_recipe_is_known_by_its_name() -> None:
    assert {name: recipe.recipe for name, recipe in RECIPES.items()} == {name: name for name in RECIPES}
    assert DEFAULT_RECIPE in RECIPES
    assert recipe_settings("paper") == dataclasses.asdict(Recipe())
    with pytest.raises(UsageError, match="paper"):
        recipe_settings("magic")


def test_larger_images_are_learnt_at_a_lower_rate_unless_by_the_papers_recipe() -> None:
    for name in ("spectral", "sn-hinge"):
        assert recipe_settings(name, size=28)["learning_rate"] == 2.5e-3
        assert recipe_settings(name, size=64)["learning_rate"] == 8e-4
    assert recipe_settings("paper", size=64) == recipe_settings("paper")
