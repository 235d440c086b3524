"""A picture redrawn by a generator of another domain: the nearest image that it can make, in features.

This is projection, not a transfer of texture (which Gatys et al. 2015 do, with statistics of features). Two
forces pull: the features of the content, and by lambda the discriminator's judgement of what belongs to the
domain. With lambda 0 a generator can draw far more than its domain, and one of digits copies letters nearly
as they are; with much of it the content is forgotten. In between the content's rough shape remains, in the
domain's handwriting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dcgan_edge.errors import UsageError
from dcgan_edge.latent.inversion import Inversion, Networks, descend, nearest_samples
from dcgan_edge.latent.plan import SearchPlan
from dcgan_edge.latents import FloatArray
from dcgan_edge.training.activations import Layer, layers_of, recorded


@dataclass(frozen=True)
class Stylized:
    """`columns` of images (n, c, h, w): content, nearest sample of the pool, projection.

    `distances` are those of the last two to the content in features, `logits` the discriminator's of all
    three, one for each image. `restored` names the column that is the answer.
    """

    columns: dict[str, FloatArray]
    inversion: Inversion
    layers: tuple[str, ...]
    distances: dict[str, list[float]]
    logits: dict[str, list[float]]
    restored: str = "projection"

    def to_dict(self) -> dict[str, Any]:
        """Return distances and logits as JSON has them, one of each for every image."""
        return {
            "images": len(self.inversion.latents),
            "columns": list(self.columns),
            "layers": list(self.layers),
            "distances": self.distances,
            "logits": self.logits,
        }


def stylize_images(
    networks: Networks,
    content: FloatArray,
    plan: SearchPlan,
    *,
    layers: tuple[str, ...] = (),
    progress: Callable[[int], None] | None = None,
) -> Stylized:
    """Project `content` (n, c, h, w) into the generator by the features of `layers`; empty: of all layers.

    The loss is the mean over layers of squared differences of activations, each relative to the content's own
    mean square. Raises UsageError for a layer that the discriminator does not have.
    """
    chosen = _chosen(networks, layers)
    wanted = _activations(networks, chosen, torch.from_numpy(content).to(networks.device))
    scales = [target.square().flatten(1).mean(1) for target in wanted]

    def distance(images: Tensor, places: Tensor) -> Tensor:
        found = _activations(networks, chosen, images)
        gaps = [
            (made - target[places]).square().flatten(1).mean(1) / scale[places].clamp(min=1e-12)
            for made, target, scale in zip(found, wanted, scales, strict=True)
        ]
        return torch.stack(gaps).mean(0)

    inversion = descend(networks, distance, len(content), plan, progress=progress)
    columns = {
        "content": content,
        "nearest sample": nearest_samples(networks, distance, len(content), plan),
        "projection": inversion.best,
    }
    shown = {name: torch.from_numpy(images).to(networks.device) for name, images in columns.items()}
    places = torch.arange(len(content), device=networks.device)
    with torch.no_grad():
        logits = {name: networks.discriminator(images).tolist() for name, images in shown.items()}
        del shown["content"]
        distances = {name: distance(images, places).tolist() for name, images in shown.items()}
    return Stylized(columns, inversion, tuple(layer.name for layer in chosen), distances, logits)


def _chosen(networks: Networks, names: tuple[str, ...]) -> list[Layer]:
    found = layers_of(networks.discriminator)
    known = [layer.name for layer in found]
    for name in names:
        if name not in known:
            raise UsageError(f"This discriminator has no layer {name}; it has {', '.join(known)}.")
    return [layer for layer in found if not names or layer.name in names]


def _activations(networks: Networks, layers: list[Layer], images: Tensor) -> list[Tensor]:
    with recorded(layers) as outputs:
        networks.discriminator(images)
        return [outputs[layer.name] for layer in layers]
