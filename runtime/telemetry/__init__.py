"""The machine beside the benchmark: rails, clocks, temperatures, throttling, other load.

`sample_telemetry` records, `energy` and `verdict` judge the record. The vendors' libraries (nvidia-ml-py,
jetson-stats) are imported when they are asked for readings, if they are there.
"""

from dcgan_edge.runtime.telemetry.energy import Energy, energy
from dcgan_edge.runtime.telemetry.reader import Unreadable
from dcgan_edge.runtime.telemetry.record import Telemetry
from dcgan_edge.runtime.telemetry.sampler import Recorder, sample_telemetry
from dcgan_edge.runtime.telemetry.verdict import verdict

__all__ = ["Energy", "Recorder", "Telemetry", "Unreadable", "energy", "sample_telemetry", "verdict"]
