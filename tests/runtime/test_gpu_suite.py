"""The hardware tests run, on the in-memory machine: whoever has a GPU should not be the first to run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from dcgan_edge.artifact import (
    BatchProfile,
    Manifest,
    Precision,
    embed_manifest,
    generator_tensors,
    write_artifact,
)
from tests.fakes.lab import ARCHITECTURE, tiny_onnx

ROOT = Path(__file__).parent.parent.parent
COMMAND = "python -m pytest -s tests/gpu"


def run_hardware_tests(artifacts: Path, blocked: Path) -> subprocess.CompletedProcess[str]:
    """The command of docs/hardware.md, where neither torch nor onnx can be imported, as on a device."""
    for name in ("torch", "onnx"):
        (blocked / f"{name}.py").write_text(f"raise ModuleNotFoundError('blocked', name='{name}')\n")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(blocked), "."]),
        "DCGAN_EDGE_GPU_ARTIFACTS": str(artifacts),
        "DCGAN_EDGE_GPU_ROUNDS": "30",
    }
    return subprocess.run(
        [sys.executable, *COMMAND.split()[1:], "-p", "tests.fakes.pretend", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_hardware_tests_pass_on_the_in_memory_machine_and_print_rows(tmp_path: Path) -> None:
    precisions: tuple[Precision, ...] = ("fp32", "fp16")
    for precision in precisions:
        source, result = generator_tensors(ARCHITECTURE)
        manifest = Manifest(
            kind="onnx",
            architecture=ARCHITECTURE,
            precision=precision,
            inputs=(source,),
            outputs=(result,),
            batch=BatchProfile(1, 16, 64),
            parent_sha256="0" * 64,
            builder="test",
        )
        write_artifact(
            tmp_path / f"generator.{precision}.onnx", embed_manifest(tiny_onnx(), manifest), manifest
        )
    done = run_hardware_tests(tmp_path, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b24 passed, 8 skipped", done.stdout), done.stdout
    header, *rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    page = (ROOT / "docs" / "hardware.md").read_text()
    assert header in page.splitlines()
    assert f"    {COMMAND}\n" in page
    assert len(rows) == len(precisions)
    for row in rows:
        assert "in-memory double" in row
        assert all(cell.strip() for cell in row.strip("|").split("|")), row
