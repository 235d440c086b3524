"""How sizes, counts and verdicts are said: the same way on the screen and in reports."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from dcgan_edge.artifact import Manifest


def size_words(count: int) -> str:
    """Return `count` bytes as people read them, in units of 1024: "512 B", "1.3 MiB"."""
    if count < 1024:
        return f"{count} B"
    power = min((count.bit_length() - 1) // 10, 4)
    return f"{count / 1024**power:.1f} {('KiB', 'MiB', 'GiB', 'TiB')[power - 1]}"


def quoted(*paths: str | os.PathLike[str]) -> str:
    """Return `paths` as they are typed in a command line, blanks and all."""
    return shlex.join(os.fspath(path) for path in paths)


def count_words(count: int, thing: str) -> str:
    """Return "1 picture", "2 pictures"; `thing` takes a plain s."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def parity_words(manifest: Manifest) -> str:
    """Return what a manifest says about parity: "passed, 74.5 dB, 1 grey level at most", "not run: ...".

    A proof on a device, which came later, is told after it, or in place of one that was not run.
    """
    if manifest.kind == "checkpoint":
        return "the reference"
    proofs = [f"{each.verdict} on {each.device_name}, {each.date[:10]}" for each in manifest.verified[:1]]
    if proofs and manifest.parity.get("verdict") not in ("passed", "failed"):
        return proofs[0]
    return "; ".join([_export_words(manifest.parity), *proofs])


def _export_words(parity: Mapping[str, Any]) -> str:
    verdict = str(parity.get("verdict", "not run")).replace("_", " ")
    if "reason" in parity:
        return f"{verdict}: {parity['reason']}"
    if "worst_psnr_db" not in parity or "grey_levels" not in parity:
        return verdict
    levels = count_words(parity["grey_levels"], "grey level")
    said = f"{verdict}, {parity['worst_psnr_db']:.1f} dB, {levels} at most"
    return ", ".join(filter(None, [said, distribution_words(parity.get("distribution"))]))


def distribution_words(facts: Any) -> str:
    """Return what a parity says of the images' distribution: "KID +1.0e-04 [-2.0e-04, 4.0e-04]"; "" where it
    was not measured.
    """
    try:
        change = facts["kid"]
        said = f"KID {change['value']:+.1e} [{change['low']:.1e}, {change['high']:.1e}]"
        changed = facts["changed_class"]
        return said if changed is None else f"{said}, {changed:.1%} of digits read as others"
    except (KeyError, TypeError, ValueError):
        return ""
