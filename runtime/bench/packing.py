"""The samples of a round as text: a few bytes for each, because differences compress better than times."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

from .workload import Samples, TimeArray

ENCODING = "base64 of zlib of little-endian int64 differences, in nanoseconds"
MOST_QUERIES = 2**24  # of one round; 128 MiB of times


def pack(samples: Samples) -> dict[str, Any]:
    """Return `samples` for JSON: their number, and both times of each as ENCODING says."""
    return {
        "queries": len(samples),
        "due_ns": _packed(samples.due_ns),
        "latency_ns": _packed(samples.latency_ns),
    }


def unpack(facts: dict[str, Any]) -> Samples:
    """Return the inverse of `pack`. Raises KeyError, TypeError, ValueError or zlib.error for other facts."""
    count = facts["queries"]
    return Samples(_unpacked(facts["due_ns"], count), _unpacked(facts["latency_ns"], count))


def _packed(times: TimeArray) -> str:
    return base64.b64encode(zlib.compress(np.diff(times, prepend=0).astype("<i8").tobytes())).decode()


def _unpacked(text: str, count: int) -> TimeArray:
    if not 1 <= count <= MOST_QUERIES:
        raise ValueError(f"{str(count)[:20]} samples of one round")
    unpacked = zlib.decompressobj().decompress(base64.b64decode(text), 8 * count + 8)  # never more than said
    if len(unpacked) != 8 * count:
        raise ValueError(f"not the {count} samples that were announced")
    return np.cumsum(np.frombuffer(unpacked, "<i8"))
