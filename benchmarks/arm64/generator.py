"""A generator for the comparison: of digits, width 16, trained for a moment.

python benchmarks/arm64/generator.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import dcgan_edge

if __name__ == "__main__":
    target = Path(sys.argv[1])
    dcgan_edge.train(data="digits", out=target / "run", minutes=0.5, width=16)
    dcgan_edge.export(target / "run" / "checkpoint.safetensors", target)
