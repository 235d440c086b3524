"""Nothing is sent, and nothing is left in the user's home, behind the user's back; dependencies included."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = """
from dcgan_edge.cli import main

SMALL = "--epochs 1 --batch 3500 --width 4 --latent-dim 16 --precision fp32"
for line in (
    f"-q train --data digits --out run {SMALL}",
    "export run/checkpoint.safetensors --out out",
    "sample out/generator.fp16.onnx --seeds 0-3 --out pictures",
    "sample out/generator.fp16.onnx --seeds 0-3 --out more --backend openvino",
    "bench out/generator.fp32.onnx --batch 1 --duration 0.1s --max-time 0.1s --warmup 0 --output bench.json",
    "eval out/generator.fp16.onnx --seeds 0-49",
    "report bench.json",
    "doctor",
):
    print(line, flush=True)
    if code := main(line.split(), standalone_mode=False):
        raise SystemExit(f"exit code {code}")
"""
CACHES = {"matplotlib", "fontconfig"}  # what the libraries of the charts keep in a user's cache folder
LOCAL = re.compile(r"AF_UNIX|AF_NETLINK|AF_UNSPEC")
TALK = re.compile(r"\b(connect|sendto|sendmsg|sendmmsg)\(")


@pytest.mark.parametrize(("given", "found"), [(None, "1"), ("0", "0")])
def test_the_telemetry_of_onnxruntime_is_off_unless_the_user_says_otherwise(
    given: str | None, found: str
) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    environment |= {"ORT_DISABLE_TELEMETRY": given} if given else {}
    code = "import os, dcgan_edge; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert answer.stdout.strip() == found


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_command_talks_to_a_network_or_writes_into_the_home_folder(tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "calls"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.pop("XDG_CACHE_HOME", None)
    trace = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=%network", "-o", str(log)]
    program = [*trace, sys.executable, "-c", COMMANDS]
    answer = subprocess.run(
        program, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    if "ptrace" in answer.stderr and answer.returncode:
        pytest.skip(f"strace may not trace here: {answer.stderr.strip()[:80]}")
    assert answer.returncode == 0, answer.stderr + answer.stdout
    calls = [call for call in log.read_text().splitlines() if TALK.search(call) and not LOCAL.search(call)]
    assert calls == []
    left = {path.relative_to(home).parts[:2] for path in home.rglob("*") if path.is_file()}
    assert left <= {(".cache", name) for name in CACHES}
