"""Named tensors to modules: what has weights, what normalises, what is an embedding; everything else refused.

Names say which tensors belong together (`main.3.weight` and `main.3.bias`), shapes say what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from dcgan_edge.errors import ArtifactError

MODULE_WAY = "A network that is more than a chain is exported by its own code: dcgan-edge export --module."
MOST_MODULES = 128
MERGED = " + "  # between the names of modules that became one
LEAVES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
BRANCHED = re.compile(
    r"attn|attention|shortcut|residual|res_?block|(^|\.)skip|non_?local|(^|\.)(query|key|value)(_|\.|$)", re.I
)


@dataclass(frozen=True, eq=False)
class Weighted:
    """A dense layer's weight (outputs, inputs), or a convolution's (a, b, kernel, kernel), of which the shape
    alone does not say whether it is transposed.
    """

    name: str
    weight: Tensor
    bias: Tensor | None

    @property
    def is_dense(self) -> bool:
        """Return whether this is a matrix."""
        return self.weight.ndim == 2

    @property
    def kernel(self) -> int:
        """Return the side of the kernel, 0 of a dense layer."""
        return 0 if self.is_dense else int(self.weight.shape[2])

    @property
    def ends(self) -> tuple[int, int]:
        """Return the two numbers of channels, as the shape has them."""
        return int(self.weight.shape[0]), int(self.weight.shape[1])


@dataclass(frozen=True, eq=False)
class Norm:
    """The tensors of a BatchNorm, each of shape (features,); without weight and bias it only normalises."""

    name: str
    mean: Tensor
    variance: Tensor
    weight: Tensor | None
    bias: Tensor | None

    @property
    def features(self) -> int:
        """Return the number of channels that are normalised."""
        return len(self.mean)


@dataclass(frozen=True)
class Modules:
    """The modules of a file, `order` their names as the file has them. `embeddings` are tables (classes,
    numbers).
    """

    weighted: tuple[Weighted, ...]
    norms: tuple[Norm, ...]
    embeddings: tuple[Weighted, ...]
    order: tuple[str, ...]


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts `conv2` before `conv10`."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in parts if part)


def described(name: str, tensor: Tensor) -> str:
    """Return `main.3.weight (256, 512, 4, 4)`."""
    return f"{name} {tuple(tensor.shape)}"


def sort_modules(tensors: Mapping[str, Tensor]) -> Modules:
    """Return the modules that `tensors` belong to.

    Raises ArtifactError naming the first tensor that no generator of the known kinds has, and why.
    """
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        path, _, leaf = name.rpartition(".")
        if leaf not in LEAVES:
            raise ArtifactError(_foreign(name, tensor))
        groups.setdefault(path, {})[leaf] = tensor
    branched = next((path for path in groups if BRANCHED.search(path)), None)
    if branched is not None:
        raise ArtifactError(
            f"{_first(groups, branched)} is named as part of a residual or attention block, and a chain of "
            f"layers was expected. {MODULE_WAY}"
        )
    weighted: list[Weighted] = []
    norms: list[Norm] = []
    embeddings: list[Weighted] = []
    for path, group in groups.items():
        if "running_mean" in group or "running_var" in group:
            norms.append(_norm(path, group))
            continue
        module = _weighted(path, group)
        embedded = module.is_dense and module.bias is None and re.search(r"emb", path, re.I)
        (embeddings if embedded else weighted).append(module)
    if not weighted:
        raise ArtifactError(
            "No weights of dense layers or convolutions were found: there is no generator here."
        )
    if len(weighted) + len(norms) > MOST_MODULES:
        raise ArtifactError(f"{len(weighted) + len(norms)} modules are too many; {MOST_MODULES} at most.")
    return Modules(tuple(weighted), tuple(norms), tuple(embeddings), tuple(groups))


def in_order(modules: Iterable[Weighted]) -> list[Weighted]:
    """Return the modules in the natural order of their names."""
    return sorted(modules, key=lambda module: natural(module.name))


def _first(groups: Mapping[str, Mapping[str, Tensor]], path: str) -> str:
    leaf, tensor = next(iter(groups[path].items()))
    return described(f"{path}.{leaf}", tensor)


def _foreign(name: str, tensor: Tensor) -> str:
    return (
        f"{described(name, tensor)} does not fit: weights, biases and BatchNorm statistics of dense layers "
        f"and convolutions were expected. {MODULE_WAY}"
    )


def _norm(path: str, group: Mapping[str, Tensor]) -> Norm:
    """The BatchNorm at `path`; all its tensors have one length."""
    for leaf in ("running_mean", "running_var"):
        if leaf not in group:
            raise ArtifactError(f"{path} looks like BatchNorm, but has no {leaf}.")
    features = group["running_mean"].shape
    for leaf, tensor in group.items():
        if leaf != "num_batches_tracked" and (tensor.ndim != 1 or tensor.shape != features):
            raise ArtifactError(
                f"{described(f'{path}.{leaf}', tensor)} does not fit: {tuple(features)} was expected, as in "
                f"{path}.running_mean."
            )
    return Norm(path, group["running_mean"], group["running_var"], group.get("weight"), group.get("bias"))


def _weighted(path: str, group: Mapping[str, Tensor]) -> Weighted:
    """The dense layer or convolution at `path`."""
    if "weight" not in group:
        leaf, tensor = next(iter(group.items()))
        raise ArtifactError(_foreign(f"{path}.{leaf}", tensor))
    weight, bias = group["weight"], group.get("bias")
    name = f"{path}.weight" if path else "weight"
    if weight.ndim == 1:
        what = "PReLU" if bias is None else "GroupNorm, LayerNorm or BatchNorm without its running statistics"
        raise ArtifactError(f"{described(name, weight)} does not fit: it looks like {what}. {MODULE_WAY}")
    if weight.ndim not in (2, 4) or 0 in weight.shape:
        raise ArtifactError(
            f"{described(name, weight)} does not fit: a dense layer has 2 axes, a convolution of images 4. "
            f"{MODULE_WAY}"
        )
    if weight.ndim == 4 and weight.shape[2] != weight.shape[3]:
        raise ArtifactError(f"{described(name, weight)} does not fit: its kernel is not square. {MODULE_WAY}")
    if weight.ndim == 4 and weight.shape[2] > 64:
        raise ArtifactError(f"{described(name, weight)} does not fit: kernels have up to 64 pixels.")
    if bias is not None and (bias.ndim != 1 or len(bias) not in weight.shape[:2]):
        raise ArtifactError(
            f"{described(f'{path}.bias', bias)} does not fit the weight beside it, {tuple(weight.shape)}."
        )
    return Weighted(path, weight, bias)
