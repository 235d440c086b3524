"""The machine beside the benchmark: rails, clocks, temperatures, throttling, other programs.

`sample_telemetry` records, `energy` and `verdict` judge the record. The vendors' libraries (nvidia-ml-py,
jetson-stats) are imported when they are asked for readings, if they are there.
"""

from .energy import Energy, energy
from .reader import Unreadable
from .record import Telemetry
from .sampler import Recorder, sample_telemetry
from .verdict import slowed_down, verdict

__all__ = [
    "Energy",
    "Recorder",
    "Telemetry",
    "Unreadable",
    "energy",
    "sample_telemetry",
    "slowed_down",
    "verdict",
]
