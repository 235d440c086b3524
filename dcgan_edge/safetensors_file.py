"""The header of a safetensors file, read without the safetensors package.

The file is 8 bytes of little-endian length, JSON of that length, then the tensors without gaps. The metadata
is what a device needs to describe a checkpoint. Source: safetensors, "Format".
"""

from __future__ import annotations

from typing import Any

from dcgan_edge.errors import ArtifactError
from dcgan_edge.schema import read_json

HEADER_LIMIT = 100_000_000  # bytes; the format allows no more
DEPTH_LIMIT = 8
METADATA = "__metadata__"


def read_header(data: bytes, name: str) -> dict[str, Any]:
    """Return the JSON header of the safetensors file `data`, every tensor's place found within the file.

    Raises ArtifactError naming `name` when it is not a whole safetensors file.
    """
    length = int.from_bytes(data[:8], "little")
    if not 0 < length <= min(HEADER_LIMIT, len(data) - 8):
        raise ArtifactError(f"{name} is not a safetensors file, or it was cut short.")
    header = read_json(data[8 : 8 + length], f"The header of {name}", limit=HEADER_LIMIT, depth=DEPTH_LIMIT)
    try:
        ends = [int(entry["data_offsets"][1]) for key, entry in header.items() if key != METADATA]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{name} is not a safetensors file ({error!r}).") from error
    if max(ends, default=0) != len(data) - 8 - length:
        raise ArtifactError(f"{name} was cut short, or has more than its header says.")
    found: dict[str, Any] = header
    return found


def metadata(data: bytes, name: str) -> dict[str, str]:
    """Return the metadata of the safetensors file `data`. Raises ArtifactError as `read_header` does."""
    found = read_header(data, name).get(METADATA, {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ArtifactError(f"The metadata of {name} is not text.")
    return found
