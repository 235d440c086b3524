"""The least time that a graph can take on a device, counted from the ONNX file. Never torch, never onnx.

`count` counts, `jetson_peaks`, `load_peaks` and `measure_cpu_peaks` say how fast the device is, `roofline`
sets both against a measurement.
"""

from dcgan_edge.runtime.roofline.cost import GraphCost, count
from dcgan_edge.runtime.roofline.cpu import measure_cpu_peaks
from dcgan_edge.runtime.roofline.floor import Roofline, roofline
from dcgan_edge.runtime.roofline.peaks import Peaks, jetson_peaks, load_peaks

__all__ = [
    "GraphCost", "Peaks", "Roofline", "count", "jetson_peaks", "load_peaks", "measure_cpu_peaks", "roofline",
]  # fmt: skip
