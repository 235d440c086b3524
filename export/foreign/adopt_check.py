"""A first look at a stranger's file in a process of its own, which may die of it.

ONNX's own library ends the whole process on some malformed graphs, and no `except` stops that. So everything
that native code does with the file is done in a child first; what the child refuses in words, the caller will
find again and say.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from dcgan_edge.errors import ArtifactError, EdgeError
from dcgan_edge.names import shown

from .adopt_ports import Asked

SECONDS, BYTES_PER_SECOND = 20.0, 20e6  # for any file, and for a large one
CHILD = """
import json, sys
sys.path[:], path, asked = json.loads(sys.argv[1])
from dcgan_edge.export.foreign.adopt_check import look
look(path, asked)
"""


def check_in_child(path: Path, asked: Asked) -> None:
    """Raise ArtifactError when a process that reads and runs the file at `path` dies, or does not end.

    Whatever it refuses in a sentence is no reason to raise here.
    """
    arguments = json.dumps([sys.path, str(path), asdict(asked)])
    try:
        seconds = SECONDS + path.stat().st_size / BYTES_PER_SECOND
    except (OSError, ValueError):
        return  # there is no such file
    try:
        ran = subprocess.run(
            [sys.executable, "-c", CHILD, arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(
            f"{shown(path.name)} was looked at for {seconds:.0f} s without an end; no generator takes that."
        ) from error
    if ran.returncode:
        raise ArtifactError(
            f"{shown(path.name)} is damaged: the library that reads it died ({_cause(ran.returncode)})."
        )


def look(path: str, asked: dict[str, object]) -> None:
    """Read the file at `path` and make one image, as `adopt` will; an error of ours ends it quietly."""
    from .adopt import find
    from .adopt_file import read_foreign

    try:
        with find(read_foreign(path), Asked(**asked)).reference as reference:  # type: ignore[arg-type]
            reference.run(reference.manifest.architecture.inputs([0]))
    except EdgeError:
        return


def _cause(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
