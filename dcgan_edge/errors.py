"""Every error that a user is meant to read, and the exit code it ends the program with.

    EdgeError                      1   something went wrong
    ├── UsageError                 2   the command line, a missing input file included
    ├── VerificationError          3   the output does not match PyTorch
    ├── BenchmarkError             4   a regression, or a figure that cannot be trusted
    ├── UnavailableError           5   an optional library or a device is not here
    └── ArtifactError              6   a file was refused: truncated, foreign, hash or device mismatch

A message is one or two sentences: what, why, and where there is one, the command that mends it.
Anything that is not an `EdgeError` is a bug and keeps its traceback.
"""

from __future__ import annotations

INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it
TERMINATED = 143  # exit code after SIGTERM


class EdgeError(Exception):
    """An error of the user's world: bad data, a full disk, diverged training."""

    exit_code = 1


class UsageError(EdgeError):
    """The request itself cannot be met: an option, a combination, a file that is not there."""

    exit_code = 2


class VerificationError(EdgeError):
    """A parity gate failed, or could not be computed, which counts as failed."""

    exit_code = 3


class BenchmarkError(EdgeError):
    """A benchmark regressed or was too unstable to be quoted."""

    exit_code = 4


class UnavailableError(EdgeError):
    """An optional library, a device or an execution provider that was asked for is not here."""

    exit_code = 5


class ArtifactError(EdgeError):
    """A file was refused before anything in it was executed."""

    exit_code = 6
