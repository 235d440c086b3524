"""Weights from a file into somebody's module: strictly, and what does not fit is told by name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.names import shown

from .containers import read_choice

REASON_LENGTH = 200  # characters of somebody else's message
COUNTER = "num_batches_tracked"  # of BatchNorm: old checkpoints lack it, and only training reads it
ARGUMENTS = """Its arguments are given as JSON: --module-args '{"nz": 100}'"""


def load_weights(module: nn.Module, path: Path, key: str | None, name: str) -> list[str]:
    """Put the weights of the file `path`, in it at `key`, into `module`, which is `name` to the user.

    Every name has to be there and every shape as in the module, but for the counters of BatchNorm. Returns
    what is to be said of the file, in sentences.

    Raises UsageError for weights that are not the module's, and what `read_choice` raises.
    """
    choice, file = read_choice(path, key=key), shown(path.name)
    expected = {each: value for each, value in module.state_dict().items() if isinstance(value, Tensor)}
    found = _named_alike(choice.tensors, expected)
    missing = [each for each in expected if each not in found and not each.endswith(COUNTER)]
    unexpected = [each for each in found if each not in expected]
    if missing or unexpected:
        raise UsageError(
            f"The weights of {file} are not those of {name}: {_listed('missing', missing)}"
            f"{'; ' if missing and unexpected else ''}{_listed('not in the module', unexpected)}. "
            f"The module has {len(expected)} tensors, the file {len(found)}"
            f"{f' at {shown(choice.key)}' if choice.key else ''}; --key chooses another part of it."
        )
    for each, value in found.items():
        if not is_lazy(expected[each]) and value.shape != expected[each].shape:
            raise UsageError(
                f"{file} holds {shown(each)} of shape {tuple(value.shape)}; in {name} it is "
                f"{tuple(expected[each].shape)}. Is it another size? {ARGUMENTS}"
            )
    try:
        spoiled = next((each for each, value in found.items() if not torch.isfinite(value).all()), None)
        module.load_state_dict(found, strict=False)  # the names were compared above
    except (RuntimeError, ValueError, TypeError) as error:
        raise UsageError(f"The weights of {file} do not go into {name} ({reason(error)}).") from error
    if spoiled is not None:
        raise ArtifactError(f"{file} holds NaN or infinite values in {shown(spoiled)}.")
    return list(choice.notes)


def _named_alike(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`tensors` by the module's names: a prefix that its own names begin with is not a wrapper's."""
    found = dict(tensors)
    prefix = next(iter(expected), "").rpartition(".")[0]
    while prefix and not found.keys() & expected.keys():
        whole = {f"{prefix}.{each}": value for each, value in tensors.items()}
        if whole.keys() & expected.keys():
            return whole
        prefix = prefix.rpartition(".")[0]
    return found


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what}: {', '.join(map(shown, names[:3]))}{more}"


def reason(error: BaseException) -> str:
    """Return "ValueError: its first line" of what somebody else's code raised."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = f": {lines[0].rstrip('.')}" if lines else ""
    return shown(f"{type(error).__name__}{said}", longest=REASON_LENGTH)


def digest(module: nn.Module) -> str:
    """Return the SHA-256 of a module's tensors and their names, in place of that of a file."""
    total = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        if not isinstance(value, Tensor):
            continue
        total.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
        total.update(
            value.detach().contiguous().view(-1).view(torch.uint8).numpy().data if value.numel() else b""
        )
    return total.hexdigest()
