"""Many short programs, each as in an interpreter of its own: one is started, and forks for each of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

FORKS = """
import json, os, sys, tempfile, traceback

programs, preloaded = json.load(sys.stdin)
exec(preloaded)
failed = {}
for program in programs:
    with tempfile.TemporaryFile("w+") as said:
        if (child := os.fork()) == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            code = 1
            try:
                exec(program, {"__name__": "__main__"})
                code = 0
            except SystemExit as error:
                print(error.code or "", flush=True)
                code = bool(error.code)
            except BaseException:
                traceback.print_exc()
            os._exit(code)
        if os.waitpid(child, 0)[1]:
            said.seek(0)
            failed[program] = said.read()
print(json.dumps(failed))
"""


def failures(programs: Sequence[str], *, preloaded: str = "") -> dict[str, str]:
    """What the `programs` that end with an exit code or a traceback print; {} if all of them run through.

    Each begins with only `preloaded` done, which imports what takes long and none of them is about; warnings
    are errors.
    """
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork")
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", FORKS]
    answer = subprocess.run(
        command, input=json.dumps([list(programs), preloaded]), capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(answer.stdout)
    return found
