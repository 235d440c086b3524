"""A first loading of a foreign graph in a process of its own, as ONNX Runtime may die of it.

ONNX Runtime 1.31 ends with SIGSEGV while it optimises a transformer in half precision, and no `except` stops
that. Networks of our own kinds are loaded at once.
"""

from __future__ import annotations

import signal
import subprocess
import sys

from dcgan_edge.errors import EdgeError

SECONDS = 300.0
CHILD = """
import sys, onnxruntime
onnxruntime.set_default_logger_severity(4)
onnxruntime.InferenceSession(sys.stdin.buffer.read(), providers=["CPUExecutionProvider"])
"""


def try_to_load(data: bytes, name: str) -> None:
    """Raise EdgeError naming `name` when a process that loads the ONNX file `data` dies, or does not end.

    What ONNX Runtime refuses in words is no reason to raise here: whoever loads it next will say it.
    """
    try:
        ran = subprocess.run([sys.executable, "-c", CHILD], input=data, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise EdgeError(f"ONNX Runtime did not load {name} within {SECONDS:.0f} seconds.") from error
    if ran.returncode < 0:
        raise EdgeError(
            f"ONNX Runtime dies while it loads {name} ({signal.Signals(-ran.returncode).name}), so nothing "
            "can be proven of it, and it was not written. Leave its precision out: --precision fp32."
        )
