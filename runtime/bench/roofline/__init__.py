"""The least time that a graph can take on a device, counted from the ONNX file. Never torch, never onnx.

`count` counts, `jetson_peaks`, `load_peaks` and `measure_cpu_peaks` say how fast the device is, `roofline`
sets both against a measurement.
"""

from .bound import Roofline, roofline
from .cost import GraphCost, count
from .cpu import measure_cpu_peaks
from .peaks import Peaks, jetson_peaks, load_peaks

__all__ = [
    "GraphCost", "Peaks", "Roofline", "count", "jetson_peaks", "load_peaks", "measure_cpu_peaks", "roofline",
]  # fmt: skip
