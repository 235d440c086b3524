"""Digests of files that do not fit into memory, for `fetch` and `packed`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dcgan_edge.errors import EdgeError

CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """SHA-256 of a file of any size, in hex. Raises EdgeError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise EdgeError(f"Cannot read {path}: {error.strerror or error}.") from error
    return digest.hexdigest()
