"""Where things are kept that can be made again: engines, timing caches, compiled kernels."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """$DCGAN_EDGE_CACHE, else $XDG_CACHE_HOME/dcgan-edge, else ~/.cache/dcgan-edge. It may not exist yet."""
    chosen = os.environ.get("DCGAN_EDGE_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dcgan-edge"
