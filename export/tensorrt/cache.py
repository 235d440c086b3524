"""Engines that were already built, kept by what they were built from, so that nothing is built twice.

The key is the SHA-256 of everything that influences the bytes; what is stored is checked against its own hash
before it is used. Deleting the folder is always safe.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

from dcgan_edge.artifact import sha256
from dcgan_edge.errors import EdgeError
from dcgan_edge.files import cache_folder, write_atomic

from .compile import Built

FORMAT = 2  # raise it when the builder's code changes what is built from the same job

_log = logging.getLogger(__name__)


def cache_key(facts: dict[str, Any]) -> str:
    """One name for one set of facts (JSON values), the same in every process."""
    return sha256(json.dumps({"format": FORMAT, **facts}, sort_keys=True, allow_nan=False).encode())


def timing_cache_path(builder: str, gpu: str) -> Path:
    """Where TensorRT keeps its kernel timings: never shared between versions or kinds of GPU."""
    device = "".join(letter if letter.isalnum() else "-" for letter in gpu)
    return cache_folder() / "timing" / f"{builder}.{device}.cache"


def load_cached(key: str) -> Built | None:
    """What is stored under `key`; None when there is nothing, or it was damaged."""
    path = _path(key)
    try:
        facts = json.loads(path.with_suffix(".json").read_bytes())
        engine = path.read_bytes()
        if facts["sha256"] != sha256(engine):
            raise ValueError("its hash differs")
        return Built(engine, tuple(facts["warnings"]))
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        _log.warning("The cached engine %s is not usable (%s); building it again.", path, error)
        return None


def store_cached(key: str, built: Built) -> None:
    """Keep `built` under `key`. A cache that cannot be written costs time, not the build."""
    path = _path(key)
    facts = dataclasses.asdict(built)
    facts["sha256"] = sha256(facts.pop("engine"))
    try:
        write_atomic(path, built.engine)
        write_atomic(path.with_suffix(".json"), (json.dumps(facts, indent=2) + "\n").encode())
    except EdgeError as error:
        _log.warning("The engine was not kept for the next time: %s", error)


def _path(key: str) -> Path:
    return cache_folder() / "engines" / f"{key}.engine"
