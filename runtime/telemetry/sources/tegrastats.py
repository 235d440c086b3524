"""Readings from the text of NVIDIA's tegrastats, for where the hwmon files cannot be read.

The format differs between boards and releases, so the grammar looks for fields that it knows and passes over
the rest: rails `NAME 1mW/2mW/3mW` (now/average/highest), temperatures `name@1C/2C`, `GR3D_FREQ 1%@[2,3]`,
`EMC_FREQ 1%@2`, `CPU [1%@2,off]`, `RAM 1/2MB`. Source: NVIDIA Jetson Linux Developer Guide, "tegrastats".
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from ..reader import Unreadable
from .thermal import GATED

COMMAND = "tegrastats"
LAST_GASP_S = 2.0
NUMBER = r"(-?\d+(?:\.\d+)?)"
RAIL = re.compile(r"(?<!\S)([A-Za-z]\w*) (-?\d+)mW(?:/-?\d+mW){0,2}(?!\S)")
TEMPERATURE = re.compile(rf"(?<!\S)([A-Za-z]\w*)@{NUMBER}C(?:/{NUMBER}C)?(?!\S)")
ENGINE = re.compile(r"(?<!\S)(GR3D|EMC)_FREQ(?: (\d+)%)?(?: ?@\[?([\d,]+)\]?)?(?!\S)")
CORES = re.compile(r"(?<!\S)CPU \[([^\]]*)\]")
CORE = re.compile(r"(\d+)%@(\d+)")
RAM = re.compile(r"(?<!\S)RAM (\d+)/(\d+)MB(?!\S)")
PLACES = {"GR3D": "gpu", "EMC": "memory"}


def parse_line(line: str) -> dict[str, float]:
    """What one line says; empty when it is no line of tegrastats. Never raises.

    Of several clocks of one engine the highest; gated clocks (0 MHz) and sensors (-256 degC) are left out.
    """
    values: dict[str, float] = {}
    for name, milliwatts in RAIL.findall(line):
        if name != "NC":
            values[f"power/{name}"] = int(milliwatts) / 1000
    for name, celsius, _ in TEMPERATURE.findall(line):
        if float(celsius) > GATED:
            values[f"temperature/{name.lower()}"] = float(celsius)
    for engine, load, clocks in ENGINE.findall(line):
        if load:
            values[f"utilization/{PLACES[engine]}"] = float(load)
        megahertz = max(map(int, filter(None, clocks.split(","))), default=0)
        if megahertz:
            values[f"clock/{PLACES[engine]}"] = float(megahertz)
    cores = [(int(load), int(clock)) for group in CORES.findall(line) for load, clock in CORE.findall(group)]
    if cores:
        values["utilization/cpu"] = sum(load for load, _ in cores) / len(cores)
        values["clock/cpu"] = float(max(clock for _, clock in cores))
    for used, _ in RAM.findall(line):
        values["memory/used"] = float(used)
    return values


class TegrastatsReader:
    """The newest whole line that tegrastats has printed; each line is handed out once."""

    name = "tegrastats"
    interval_s = 0.0
    limits: Mapping[str, float] = {}

    def __init__(self, stream: IO[bytes], process: subprocess.Popen[bytes] | None = None) -> None:
        """`stream` is read without waiting; `process`, if any, is ended by `close`."""
        self.facts: Mapping[str, str] = {"source": "tegrastats, first figure of each rail"}
        self._stream, self._process = stream, process
        self._rest = b""
        os.set_blocking(stream.fileno(), False)

    def read(self) -> dict[str, float]:
        """Return the readings of the last line that tegrastats printed."""
        try:
            while chunk := os.read(self._stream.fileno(), 65536):
                self._rest += chunk
        except OSError:  # BlockingIOError: nothing more for now
            pass
        *lines, self._rest = self._rest.split(b"\n")
        return parse_line(lines[-1].decode(errors="replace")) if lines else {}

    def close(self) -> None:
        """End the tegrastats process."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(LAST_GASP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._stream.close()


def open_tegrastats(root: Path, *, interval_s: float = 0.2) -> TegrastatsReader | Unreadable:
    """Start tegrastats with a line every `interval_s`. It looks at this machine: a `root` other than / is
    refused.
    """
    if root != Path("/"):
        return Unreadable("tegrastats", f"it cannot look at {root}")
    try:
        process = subprocess.Popen(
            [COMMAND, "--interval", str(round(interval_s * 1000))],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        return Unreadable("tegrastats", f"it cannot be started ({error.strerror or error})")
    assert process.stdout is not None  # we asked for a pipe
    return TegrastatsReader(process.stdout, process)
