"""What a generator takes: latents alone, or latents and a class, in which order and through which weights.

However the file has it, the first layer becomes one that takes the latent and then one weight for each class.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dcgan_edge.errors import ArtifactError, UsageError

from .recognise_chain import Link
from .recognise_modules import MERGED, MODULE_WAY, Modules, Norm, Weighted, described, natural

MOST_WITH_BRANCHES = 24  # layers of a network in which two may be merged


@dataclass(frozen=True)
class Inputs:
    """`latent_dim` numbers and `classes` weights; `class_first` if the file has the class before the latent.

    `table` is the embedding of the classes, (classes, numbers), None where they are one-hot.
    """

    latent_dim: int
    classes: int = 0
    class_first: bool = False
    table: Weighted | None = None
    cost: float = 0.0


@dataclass(frozen=True)
class Branches:
    """The modules with the two that take latent and class merged into one, and what they took."""

    modules: Modules
    latent_dim: int
    classes: int
    cost: float
    note: str


def readings(
    first: Link,
    modules: Modules,
    *,
    latent_dim: int | None,
    classes: int,
    class_first: bool | None,
    branches: Branches | None,
) -> list[Inputs]:
    """Return what the first layer may take, the likeliest first. 0 classes: none were named.

    Raises UsageError when `latent_dim` and `classes` are not what the first layer has, ArtifactError for an
    embedding that does not stand beside the latent.
    """
    if branches is not None:
        found = [Inputs(branches.latent_dim, branches.classes)]
    elif modules.embeddings:
        found = _embedded(first, modules.embeddings)
    elif classes:
        if classes >= first.inputs:
            raise UsageError(f"The first layer takes {first.inputs} numbers, too few for {classes} classes.")
        rest = first.inputs - classes
        found = [Inputs(rest, classes), Inputs(rest, classes, class_first=True, cost=1.0)]
    else:
        found = [Inputs(first.inputs)]
    if found[0].classes == 0 and class_first is not None:
        raise UsageError("--class-first applies to a generator with classes; say how many with --classes.")
    if classes and found[0].classes != classes:
        raise UsageError(f"This generator has {found[0].classes} classes, not {classes}.")
    if latent_dim is not None and latent_dim != found[0].latent_dim:
        spare = first.inputs - latent_dim
        hint = f" For {spare} classes, say --classes {spare}." if spare > 1 and not found[0].classes else ""
        raise UsageError(
            f"This generator takes latents of {found[0].latent_dim} numbers, not {latent_dim}.{hint}"
        )
    return [each for each in found if class_first is None or branches or each.class_first is class_first]


def first_weight(link: Link, inputs: Inputs) -> Tensor:
    """Return the weight of the first layer for a latent followed by one weight for each class.

    An embedding is a dense layer on one-hot classes, so the two that follow each other become one, exactly.
    """
    axis = 0 if link.kind == "conv_transpose" else 1
    rows = link.item.weight.movedim(axis, 0)
    if not inputs.classes:
        return link.item.weight
    width = inputs.classes if inputs.table is None else inputs.table.ends[1]
    if inputs.class_first:
        ours, theirs = rows[width:], rows[:width]
    else:
        ours, theirs = rows[: inputs.latent_dim], rows[inputs.latent_dim :]
    if inputs.table is not None:
        theirs = torch.tensordot(inputs.table.weight.double(), theirs.double(), dims=1).float()
    return torch.cat([ours, theirs]).movedim(0, axis).contiguous()


def merged_branches(modules: Modules) -> Iterator[Branches]:
    """Yield `modules` with two first layers merged, for each pair that a third layer takes together.

    The merged weight has both as blocks and zeros elsewhere, so that it computes what the two did.
    """
    items = sorted(modules.weighted, key=lambda item: natural(item.name))
    if len(items) > MOST_WITH_BRANCHES:
        return
    for one, other in itertools.combinations(items, 2):
        if one.weight.ndim != other.weight.ndim or one.kernel != other.kernel:
            continue
        together = _outputs(one) + _outputs(other)
        if not any(_takes(item, together) for item in items if item not in (one, other)):
            continue
        latent, label = (one, other) if _inputs(one) >= _inputs(other) else (other, one)
        for pair, cost in (((latent, label), 0.0), ((label, latent), 0.7)):
            merged = _merge(pair, latent, modules)
            if merged is not None:
                yield Branches(
                    merged,
                    _inputs(latent),
                    _inputs(label),
                    cost,
                    f"{latent.name} takes the latent, {label.name} the class; {pair[0].name} comes first",
                )


def _embedded(first: Link, tables: Sequence[Weighted]) -> list[Inputs]:
    """The readings of an embedding beside the latent."""
    table = tables[0]
    name = described(f"{table.name}.weight", table.weight)
    count, width = table.ends
    if len(tables) > 1 or width >= first.inputs:
        how = "several embeddings" if len(tables) > 1 else "an embedding that is multiplied or added"
        raise ArtifactError(
            f"{name} does not fit: {how}, where one beside the latent was expected, of fewer than the "
            f"{first.inputs} numbers that the first layer takes. {MODULE_WAY}"
        )
    rest = first.inputs - width
    return [
        Inputs(rest, count, table=table),
        Inputs(rest, count, class_first=True, table=table, cost=0.5),
    ]


def _inputs(item: Weighted) -> int:
    return item.ends[1] if item.is_dense else item.ends[0]


def _outputs(item: Weighted) -> int:
    return item.ends[0] if item.is_dense else item.ends[1]


def _takes(item: Weighted, channels: int) -> bool:
    """Whether a layer may follow two branches of `channels` in all."""
    if item.is_dense:
        return item.ends[1] == channels
    return any(channels % end == 0 and (channels // end) ** 0.5 % 1 == 0 for end in item.ends)


def _merge(pair: tuple[Weighted, Weighted], latent: Weighted, modules: Modules) -> Modules | None:
    """`modules` with the pair as one that makes both their outputs in this order; None where one has a bias
    or a BatchNorm and the other not.
    """
    one, other = pair
    if (one.bias is None) != (other.bias is None):
        return None
    norms = [_norm_of(item, modules) for item in pair]
    if (norms[0] is None) != (norms[1] is None):
        return None
    axis = 1 if one.is_dense else 0  # of the inputs
    ours, theirs = (item.weight.movedim(axis, 0) for item in pair)
    rows = torch.zeros(
        (len(ours) + len(theirs), ours.shape[1] + theirs.shape[1], *ours.shape[2:]), dtype=ours.dtype
    )
    start = len(theirs) if latent is other else 0  # of the rows of the first of the pair
    rows[start : start + len(ours), : ours.shape[1]] = ours
    rest = 0 if latent is other else len(ours)
    rows[rest : rest + len(theirs), ours.shape[1] :] = theirs
    bias = None if one.bias is None or other.bias is None else torch.cat([one.bias, other.bias])
    name = f"{one.name}{MERGED}{other.name}"
    merged = Weighted(name, rows.movedim(0, axis).contiguous(), bias)
    kept_norms = [norm for norm in modules.norms if norm not in norms]
    order = [name]
    if norms[0] is not None and norms[1] is not None:
        kept_norms.insert(0, _joined(norms[0], norms[1]))
        order.append(kept_norms[0].name)
    gone = {item.name for item in pair} | {norm.name for norm in norms if norm}
    return dataclasses.replace(
        modules,
        weighted=(merged, *(item for item in modules.weighted if item not in pair)),
        norms=tuple(kept_norms),
        order=(*order, *(each for each in modules.order if each not in gone)),
    )


def _norm_of(item: Weighted, modules: Modules) -> Norm | None:
    """The BatchNorm of a branch: named after it, or next to it in the file."""
    known = {norm.name: norm for norm in modules.norms if norm.features == _outputs(item)}
    named = [norm for name, norm in known.items() if name.startswith(item.name)]
    behind = modules.order[modules.order.index(item.name) + 1 :][:1]
    return named[0] if named else known.get(behind[0]) if behind else None


def _joined(one: Norm, other: Norm) -> Norm:
    """Two BatchNorms as one on the channels of both."""

    def both(first: Tensor | None, second: Tensor | None, filling: float) -> Tensor:
        pieces = (
            torch.full_like(norm.mean, filling) if piece is None else piece
            for norm, piece in ((one, first), (other, second))
        )
        return torch.cat(list(pieces))

    return Norm(
        f"{one.name}{MERGED}{other.name}",
        both(one.mean, other.mean, 0.0),
        both(one.variance, other.variance, 1.0),
        both(one.weight, other.weight, 1.0),
        both(one.bias, other.bias, 0.0),
    )
