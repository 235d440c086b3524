"""Weights that a network computes anew at each call, folded into those that it computes in eval mode.

Weight norm is g v / |v| (arXiv:1602.07868), spectral norm is w / (u' W v) with the vectors in the file
(arXiv:1802.05957); torch keeps both under old names (`torch.nn.utils`) and new ones (`parametrizations`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from dcgan_edge.errors import ArtifactError
from dcgan_edge.names import shown

NEW = "parametrizations."
OLD_SPECTRAL = {"_orig": "weight", "_u": "u", "_v": "v"}
OLD_NORM = {"_g": "length", "_v": "direction"}
NEW_PARTS = {"original": "weight", "0._u": "u", "0._v": "v", "original0": "length", "original1": "direction"}
KINDS = {
    ("direction", "length"): "weight norm",
    ("u", "v", "weight"): "spectral norm",
    ("u", "weight"): "spectral norm",
}


def fold(tensors: dict[str, Tensor], file: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the float32 `tensors` with parametrised weights folded, in their order, and sentences about it.

    The arithmetic is torch's own. Spectral norm takes the rows of a matrix from the first axis, for
    transposed convolutions from the second: the lengths of the vectors tell which, and where both axes are as
    long, the vectors do, as they belong to the weight along one of them.

    Raises ArtifactError naming `file` for other parametrisations and for parts that do not fit.
    """
    parts: dict[str, dict[str, Tensor]] = {}
    place = {name: _part(name, tensors) for name in tensors}
    for name, (owner, part) in place.items():
        if part:
            parts.setdefault(owner, {})[part] = tensors[name]
    folded: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    for name, (owner, part) in place.items():
        if not part:
            if owner not in parts:
                folded[name] = tensors[name]
        elif owner not in folded:
            kind = KINDS.get(tuple(sorted(parts[owner])), "")
            weight = _fold_one(kind, parts[owner])
            if weight is None:
                raise ArtifactError(
                    f"{shown(file)} holds {shown(owner)} parametrised in a way that is not known here "
                    f"({shown(name)}). Remove the parametrisation before saving: "
                    "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')"
                )
            folded[owner] = weight
            counts[kind] = counts.get(kind, 0) + 1
    return folded, tuple(f"Folded: {kind} of {count} weights." for kind, count in counts.items())


def _part(name: str, tensors: dict[str, Tensor]) -> tuple[str, str]:
    """The weight that `name` is a part of, and which part; itself and "" for a plain tensor."""
    before, mark, after = name.rpartition(NEW)
    if mark and (not before or before.endswith(".")):
        own, _, part = after.partition(".")
        return f"{before}{own}", NEW_PARTS.get(part, part or "?")
    for parts, needed in ((OLD_SPECTRAL, "_orig"), (OLD_NORM, "_g")):
        for suffix, part in parts.items():
            owner = name.removesuffix(suffix)
            if (
                owner != name
                and f"{owner}{needed}" in tensors
                and (needed == "_orig" or f"{owner}_v" in tensors)
            ):
                return owner, part
    return name, ""


def _fold_one(kind: str, parts: dict[str, Tensor]) -> Tensor | None:
    """The weight that `parts` stand for, None when they do not fit together."""
    if kind == "weight norm":
        return _weight_norm(parts["length"], parts["direction"])
    return _spectral_norm(parts["weight"], parts["u"], parts.get("v")) if kind else None


def _weight_norm(length: Tensor, direction: Tensor) -> Tensor | None:
    if length.ndim == 0:
        return torch._weight_norm(direction, length, -1)
    sizes = tuple(direction.shape)
    for axis in range(direction.ndim):
        if tuple(length.shape) == tuple(size if each == axis else 1 for each, size in enumerate(sizes)):
            return torch._weight_norm(direction, length, axis)
    return None


def _spectral_norm(weight: Tensor, u: Tensor, v: Tensor | None) -> Tensor | None:
    best, closest = None, -2.0
    for axis in range(min(weight.ndim, 2)):
        rows = (
            weight.transpose(0, 1) if axis else weight
        )  # transpose and permute agree for the first two axes
        matrix = rows.reshape(rows.shape[0], -1)
        right = (
            v
            if v is not None
            else normalize(torch.mv(matrix.t(), u), dim=0)
            if u.shape == matrix.shape[:1]
            else u
        )
        if u.shape != matrix.shape[:1] or right.shape != matrix.shape[1:]:
            continue
        product = torch.mv(matrix, right)
        closeness = float(cosine_similarity(u, product, dim=0))
        if closeness > closest:
            best, closest = weight / torch.dot(u, product), closeness
    return best
