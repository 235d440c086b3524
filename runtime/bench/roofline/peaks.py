"""How fast a device can be at best: arithmetic and bandwidth, from a table, a user's file or a measurement.

The table holds Jetson modules. Peaks are made of units x clock, so that a power mode or a throttled clock
lowers them; they are figures of NVIDIA's data sheets and architecture papers, called "spec", not measured.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dcgan_edge.artifact import read_file
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.schema import read_json

from ...telemetry.reader import Unreadable, read_or
from ...telemetry.sources.clocks import open_gpu

TERA, GIGA, MEGA = 1e12, 1e9, 1e6
CLOCK_MARGIN = 1.02  # clock tables step in odd figures: 624.75 MHz is the 625 of the data sheet
# FLOPs (INT8: operations) per clock and multiprocessor, dense, by compute capability. fp32 is that of the
# plain cores: neither the builder nor ONNX Runtime may use TF32 for it.
RATES = {
    "7.2": {"fp32": 128.0, "fp16": 1024.0, "int8": 2048.0},
    "8.7": {"fp32": 256.0, "fp16": 2048.0, "int8": 4096.0},
    "11.0": {"fp32": 256.0, "fp16": 8192.0, "int8": 16384.0},
}
NOTES = {"11.0": "the INT8 rate of Thor is taken to be its FP8 rate, which NVIDIA does not confirm"}


@dataclass(frozen=True)
class Peaks:
    """FLOP/s by precision, and bytes/s. `source` is spec, measured or user."""

    name: str
    flops: dict[str, float]
    bandwidth: float
    source: str
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the peak speeds and where they come from, as JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Module:
    """A Jetson module in one of its power designs. `parts` are the P-numbers of its device tree; GB/s."""

    name: str
    parts: tuple[str, ...]
    capability: str
    multiprocessors: int
    gpu_mhz: float
    bandwidth: float
    bus_bits: int
    notes: tuple[str, ...] = field(default=())

    @property
    def memory_mhz(self) -> float:
        """Memory clock at which `bandwidth` is reached: two transfers a clock over the bus."""
        return self.bandwidth * GIGA / (2 * self.bus_bits / 8) / MEGA

    def peaks(
        self, *, gpu_mhz: float | None = None, memory_mhz: float | None = None, origin: str = "as seen"
    ) -> Peaks:
        """At these clocks (None: the module's highest); `origin` says where the GPU's comes from."""
        clock = self.gpu_mhz if gpu_mhz is None else gpu_mhz
        seen = "as specified" if gpu_mhz is None else origin
        share = 1.0 if memory_mhz is None else memory_mhz / self.memory_mhz
        return Peaks(
            name=f"{self.name}, {self.multiprocessors} SM at {clock:g} MHz {seen}",
            flops={
                precision: rate * self.multiprocessors * clock * MEGA
                for precision, rate in RATES[self.capability].items()
            },
            bandwidth=self.bandwidth * GIGA * share,
            source="spec",
            notes=tuple(note for note in (NOTES.get(self.capability),) if note),
        )


# Ordered by clock within a part: "Super" modes are the same part with higher clocks.
MODULES = (
    Module("Jetson Xavier NX", ("p3668",), "7.2", 6, 1100, 59.7, 128),
    Module("Jetson AGX Xavier", ("p2888",), "7.2", 8, 1377, 136.5, 256),
    Module("Jetson Orin Nano 4GB", ("p3767-0004",), "8.7", 4, 625, 34, 64),
    Module("Jetson Orin Nano 8GB", ("p3767-0003", "p3767-0005"), "8.7", 8, 625, 68, 128),
    Module("Jetson Orin Nano 8GB Super", ("p3767-0003", "p3767-0005"), "8.7", 8, 1020, 102, 128),
    Module("Jetson Orin NX 8GB", ("p3767-0001",), "8.7", 8, 765, 102.4, 128),
    Module("Jetson Orin NX 16GB", ("p3767-0000",), "8.7", 8, 918, 102.4, 128),
    Module("Jetson Orin NX 16GB Super", ("p3767-0000",), "8.7", 8, 1173, 102.4, 128),
    Module("Jetson AGX Orin 32GB", ("p3701-0004",), "8.7", 14, 930, 204.8, 256),
    Module("Jetson AGX Orin 64GB", ("p3701-0000", "p3701-0005"), "8.7", 16, 1300, 204.8, 256),
    Module("Jetson AGX Thor T5000", ("p3834-0008",), "11.0", 20, 1575, 273, 256),
    Module("Jetson Thor T4000", (), "11.0", 12, 1530, 273, 256),
)


def jetson_peaks(
    root: Path = Path("/"), *, gpu_mhz: float | None = None, memory_mhz: float | None = None
) -> Peaks | Unreadable:
    """Return the peaks of this Jetson at the clocks seen while measuring.

    None for the GPU's clock is the highest that its power mode allows, None for the memory's is the data
    sheet's.

    A part that is sold with two clock designs is taken for the slower one if that has the GPU's clocks.
    """
    tree = read_or(root / "proc/device-tree/compatible").split("\0")
    if not any("tegra" in entry for entry in tree):
        return Unreadable("peaks", "this is no Jetson; give the device's figures in a file")
    gpu = open_gpu(root)
    allowed = None if isinstance(gpu, Unreadable) else gpu.limits.get("clock/gpu")
    module = find_module(tree, max(gpu_mhz or 0.0, allowed or 0.0))
    if module is None:
        named = ", ".join(filter(None, tree))
        return Unreadable("peaks", f"no module is known for {named}; give its figures in a file")
    if gpu_mhz is None:
        return module.peaks(gpu_mhz=allowed, memory_mhz=memory_mhz, origin="as allowed")
    return module.peaks(gpu_mhz=gpu_mhz, memory_mhz=memory_mhz)


def find_module(compatible: list[str], gpu_mhz: float = 0.0) -> Module | None:
    """Return the row of MODULES for a device tree's `compatible` entries (nvidia,p3768-0000+p3767-0005)."""
    numbers = {number for entry in compatible for number in entry.rpartition(",")[2].split("+")}
    rows = [
        module
        for module in MODULES
        if any(number == part or number.startswith(f"{part}-") for part in module.parts for number in numbers)
    ]
    return next((row for row in rows if row.gpu_mhz * CLOCK_MARGIN >= gpu_mhz), rows[-1] if rows else None)


def load_peaks(path: Path) -> Peaks:
    """Return the peaks of a device that the table lacks, from a JSON file such as

    {"name": "RTX A2000", "tflops": {"fp32": 8.0, "fp16": 63.9}, "bandwidth_gb_s": 288}

    Raises UsageError when the file is not there or does not hold that.
    """
    try:
        facts = read_json(read_file(path), path.name)
        flops = {str(precision): float(value) * TERA for precision, value in facts["tflops"].items()}
        peaks = Peaks(str(facts["name"]), flops, float(facts["bandwidth_gb_s"]) * GIGA, "user")
    except ArtifactError as error:
        raise UsageError(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{path} is no description of a device ({type(error).__name__}: {error}); it holds name, "
            "tflops by precision, and bandwidth_gb_s."
        ) from error
    figures = [*flops.values(), peaks.bandwidth]
    if not flops or not all(math.isfinite(figure) and figure > 0 for figure in figures):
        raise UsageError(f"{path}: peaks are above 0, and there is one at least.")
    return peaks
