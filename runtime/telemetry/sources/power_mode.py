"""The power mode of a Jetson, which caps its clocks, as `nvpmodel -q` says it.

Mode numbers mean different things on different boards, so name and number are kept together.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from ..reader import GaugeReader, Unreadable

COMMAND = ("nvpmodel", "-q")
TIMEOUT_S = 10.0
MODE = re.compile(r"NV Power Mode:[ \t]*(\S[^\n]*?)[ \t]*(?:\n\s*(\d+)\s*)?$", re.MULTILINE)


def ask_nvpmodel() -> str:
    """What `nvpmodel -q` prints. Raises OSError and subprocess.SubprocessError."""
    answer = subprocess.run(COMMAND, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    return answer.stdout


def open_power_mode(root: Path, *, ask: Callable[[], str] = ask_nvpmodel) -> GaugeReader | Unreadable:
    """A source of facts without readings: `mode` (MAXN_SUPER) and, where it is printed, `id` (2).

    nvpmodel looks at this machine: a `root` other than / needs an `ask` of its own.
    """
    if root != Path("/") and ask is ask_nvpmodel:
        return Unreadable("power mode", f"nvpmodel cannot look at {root}")
    try:
        printed = ask()
    except FileNotFoundError:
        return Unreadable("power mode", "there is no nvpmodel; only Jetsons have it")
    except (OSError, subprocess.SubprocessError) as error:
        return Unreadable("power mode", f"nvpmodel -q failed ({error})")
    found = MODE.search(printed)
    if not found:
        return Unreadable("power mode", f"nvpmodel -q printed no mode but {printed.strip()[:80]!r}")
    name, number = found.groups()
    return GaugeReader("power mode", [], {"mode": name, **({"id": number} if number else {})}, {})
