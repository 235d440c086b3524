"""How the two networks are trained against each other, as named sets of settings.

docs/training.md has the ablation that `DEFAULT_RECIPE` was chosen by; `benchmarks/ablation.py` makes it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from dcgan_edge.errors import UsageError

Loss = Literal["cross-entropy", "hinge"]
Normalisation = Literal["batch", "spectral"]


@dataclass(frozen=True)
class DiscriminatorDesign:
    """What is changed about a preset's discriminator.

    `normalisation` "batch" is what the preset has. "spectral" divides each layer's weights by their largest
    singular value instead, and does without dropout, too. `extra_convolutions` of 3x3 pixels, which keep size
    and channels, stand behind the preset's own hidden ones; a discriminator without convolutions has none.
    """

    normalisation: Normalisation = "batch"
    extra_convolutions: int = 0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of a recipe; the defaults are those of the DCGAN paper, arXiv:1511.06434, section 4.

    `recipe` is the name they are known by. `batch` is in images; `learning_rate`, `beta1` and `beta2` are
    those of Adam, for both networks. From the share `decay_from` of the budget on, the learning rate falls
    in a straight line to 0; 1 keeps it. `ema_decay` is the decay per step of the averaged generator, which is
    the one that is exported. `normalisation` and `extra_convolutions` are of the discriminator, see
    `DiscriminatorDesign`; the generator is the preset's in every recipe.
    """

    recipe: str = "paper"
    batch: int = 128
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    decay_from: float = 1.0
    ema_decay: float = 0.999
    loss: Loss = "cross-entropy"
    normalisation: Normalisation = "batch"
    extra_convolutions: int = 0

    @property
    def discriminator(self) -> DiscriminatorDesign:
        """Return what is changed about the preset's discriminator."""
        return DiscriminatorDesign(self.normalisation, self.extra_convolutions)


SPECTRAL = Recipe(
    recipe="spectral",
    batch=64,
    learning_rate=2.5e-3,
    beta1=0.0,
    beta2=0.9,
    decay_from=0.3,
    normalisation="spectral",
    extra_convolutions=1,
)
RECIPES = {
    recipe.recipe: recipe
    for recipe in (Recipe(), SPECTRAL, dataclasses.replace(SPECTRAL, recipe="sn-hinge", loss="hinge"))
}
DEFAULT_RECIPE = SPECTRAL.recipe
SMALL = 28  # pixels of a side: what the ablation was made with
LARGE_RATE = 8e-4  # of what is faster: at 2.5e-3, the discriminator of 64 pixels ends with one answer for all


def recipe_settings(name: str = DEFAULT_RECIPE, *, size: int = SMALL) -> dict[str, Any]:
    """Return the settings of the recipe `name` as `TrainConfig` takes them, for images of `size` pixels.

    Above SMALL, where networks are deeper, the learning rate is LARGE_RATE at most.

    Raises UsageError for a name that there is not.
    """
    if name not in RECIPES:
        raise UsageError(f"There is no recipe {name!r}; there are {', '.join(RECIPES)}.")
    settings = dataclasses.asdict(RECIPES[name])
    if size > SMALL:
        settings["learning_rate"] = min(settings["learning_rate"], LARGE_RATE)
    return settings
