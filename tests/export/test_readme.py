"""The README beside artifacts: its Python and its commands run, and a README of somebody else stays."""

from __future__ import annotations

import dataclasses
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from dcgan_edge.artifact import (
    Architecture,
    Artifact,
    BatchProfile,
    Manifest,
    generator_tensors,
    read_artifact,
)
from dcgan_edge.cli import main
from dcgan_edge.export.readme import MARKER, NAME, readme_text, write_readme
from dcgan_edge.files import sha256
from dcgan_edge.latents import FloatArray
from dcgan_edge.manifest import Origin
from tests.contracts.api_checker import Checker
from tests.contracts.test_tensorrt_api import API, CUDA, HOST, LIBRARY, TEXTS

CATS = Architecture("custom", 8, 3, 0, latent_dim=5, classes=("cat", "dog", "bird"))
EVEN = Architecture("custom", 8, 1, 0, latent_dim=4, distribution="uniform")


def artifact(architecture: Architecture = CATS, name: str = "generator.fp32.onnx", **facts: Any) -> Artifact:
    source, result = generator_tensors(architecture)
    engine = name.endswith(".engine")
    manifest = Manifest(
        kind="engine" if engine else "onnx",
        architecture=architecture,
        precision="fp32",
        inputs=(source,),
        outputs=(result,),
        batch=BatchProfile(),
        parent_sha256="",
        builder="trt10.3.0" if engine else "test",
        targets=("sm87",) if engine else (),
    )
    return Artifact(Path(name), dataclasses.replace(manifest, **facts))


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of `language`, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy of the artifacts, as on a device, with the README that came with them."""
    return Path(shutil.copytree(exported, tmp_path / "device"))


@pytest.mark.torch
def test_its_onnxruntime_lines_make_the_pictures_of_the_seeds(folder: Path) -> None:
    text = (folder / NAME).read_text()
    (code,) = blocks(text, "python")
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=folder, check=True)
    chosen = folder / "generator.fp16.onnx"
    words = ["sample", str(chosen), "--seeds", "0-3", "--out", str(folder / "samples")]
    assert CliRunner().invoke(main, words).exit_code == 0
    for seed in range(4):
        ours = np.asarray(Image.open(folder / "samples" / f"seed{seed:04d}.png"), np.int16)
        theirs = np.asarray(Image.open(folder / f"image{seed}.png"), np.int16)
        assert np.abs(ours - theirs).max() <= 1  # another batch: half's rounding, at a border of two levels


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["checkpoint", "onnx"])
def test_its_commands_can_be_typed(
    kind: str, folder: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dcgan_edge.export.onnx.reference import TorchSession

    monkeypatch.chdir(folder)
    if kind == "checkpoint":
        path = Path(shutil.copy(checkpoint, folder))
        write_readme(folder, [Artifact(path, TorchSession(path).manifest)])
    (listed,) = blocks((folder / NAME).read_text(), "bash")
    assert ("export" in listed) == (kind == "checkpoint")
    for line in listed.splitlines():
        program, *words = shlex.split(line)
        assert program == "dcgan-edge"
        if words[0] in ("bench", "build"):  # they take long; their options are looked at
            command = main.get_command(None, words[0])  # type: ignore[arg-type]
            assert command is not None
            command.make_context(words[0], words[1:])
        else:
            result = CliRunner().invoke(main, words)
            assert result.exit_code == 0, result.output


class _Recorded(ModuleType):
    """Stands for onnxruntime; keeps the latents that it is given."""

    def __init__(self, size: int, channels: int) -> None:
        super().__init__("onnxruntime")
        self.latents: FloatArray | None = None
        self._shape = (channels, size, size)

    def InferenceSession(self, path: str, providers: list[str]) -> _Recorded:  # its name
        return self

    def run(self, outputs: list[str], feeds: dict[str, FloatArray]) -> list[FloatArray]:
        (self.latents,) = feeds.values()
        return [np.zeros((len(self.latents), *self._shape), np.float32)]


@pytest.mark.parametrize("architecture", [CATS, EVEN, dataclasses.replace(CATS, classes=(), channels=4)])
@pytest.mark.parametrize("batch", [BatchProfile(), BatchProfile(2, 2, 2), BatchProfile(6, 6, 8)])
def test_its_latents_are_those_of_the_seeds(
    architecture: Architecture, batch: BatchProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = _Recorded(architecture.size, architecture.channels)
    monkeypatch.setitem(sys.modules, "onnxruntime", recorded)
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(readme_text([artifact(architecture, batch=batch)]), "python")
    exec(compile(code, NAME, "exec"), {})
    assert recorded.latents is not None
    count = len(recorded.latents)
    assert batch.min <= count <= batch.max
    expected = architecture.inputs(range(count), [0] * count if architecture.classes else None)
    np.testing.assert_allclose(recorded.latents, expected, rtol=0, atol=1e-6)  # NumPy's own log and cos
    assert len(list(tmp_path.glob("image*.png"))) == count


@pytest.mark.source
def test_its_tensorrt_lines_call_what_every_supported_version_has() -> None:
    text = readme_text([artifact(name="generator.fp32.sm87.trt10.3.0.engine")])
    (code,) = blocks(text, "python")
    types = {"runtime": "Runtime", "engine": "ICudaEngine", "context": "IExecutionContext"}
    lines = [line for line in code.splitlines() if re.match(r"(runtime|engine|context)\b", line)]
    assert len(lines) == 7
    for name, kind in types.items():
        lines = [re.sub(rf"^{name} = ", f"{name}: {kind} = ", line) for line in lines]
    body = "".join(f"    {line.replace('latents.shape', 'shape')}\n" for line in lines)
    planted = (
        f"{TEXTS[HOST]}\nif TYPE_CHECKING:\n    from tensorrt import {', '.join(types.values())}\n\n"
        "def planted(trt: ModuleType, shape: tuple[int, ...], source: int, result: int, stream: int) -> None:"
        f"\n{body}"
    )
    assert Checker({LIBRARY: TEXTS[LIBRARY], HOST: planted}, API, CUDA).check(HOST) == []
    for name in re.findall(r"\b(?:cuda|kind)\.(\w+)", code.partition("runtime as cuda")[2]):
        assert all(name in table for table in map(str, CUDA.values())), name


def test_it_says_what_goes_in_and_out_and_where_it_came_from() -> None:
    origin = Origin(
        "import", "netG.pth", "0" * 64, ("LeakyReLU is taken for ReLU.",), "assumed", ("A note.",)
    )
    parity = {
        "verdict": "passed",
        "seeds": 64,
        "worst_psnr_db": 120.0,
        "grey_levels": 0,
        "reference": "PyTorch",
    }
    text = readme_text([artifact(origin=origin, parity=parity)])
    for said in (
        "float32 (batch, 8, 1, 1)", "0 = cat, 1 = dog, 2 = bird", "(batch, 3, 8, 8)", "--class 0", "netG.pth",
        "64 seeds against PyTorch", "ASSUMED", "LeakyReLU is taken for ReLU.", "A note.",
    ):  # fmt: skip
        assert said in text
    assert len(text.splitlines()) < 80


def test_names_of_strangers_are_no_markup() -> None:
    hostile = dataclasses.replace(CATS, classes=("<script>", "a|b\n# c", "`x`"))
    origin = Origin("onnx", "]( http://x )<b>", "0" * 64)
    text = readme_text([artifact(hostile, origin=origin)])
    assert "<script" not in text.replace("\\<script", "")
    assert "\n# c" not in text
    assert "\\`x\\`" in text


def test_a_readme_of_somebody_else_stays(tmp_path: Path, exported: Path) -> None:
    found = Artifact(exported / "generator.fp32.onnx", read_artifact(exported / "generator.fp32.onnx")[0])
    path = tmp_path / NAME
    for content in ("# My project\n", ""):
        path.write_text(content)
        assert write_readme(tmp_path, [found]) is None
        assert path.read_text() == content
    path.write_text(f"{MARKER}\nof before")
    assert write_readme(tmp_path, [found]) == path
    assert "of before" not in path.read_text()
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    assert write_readme(tmp_path, [found]) is None
    assert not (tmp_path / "nowhere").exists()


def test_it_lists_what_lies_beside_and_makes_the_same_images(exported: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "copied"))
    found = Artifact(folder / "generator.fp16.onnx", read_artifact(folder / "generator.fp16.onnx")[0])
    (folder / "broken.onnx").write_bytes(b"")
    (folder / "broken.onnx.json").write_bytes(b"{}")
    stranger = artifact().manifest.sealed(b"x")
    (folder / "other.onnx").write_bytes(b"x")
    (folder / "other.onnx.json").write_text(stranger.to_json())
    path = write_readme(folder, [found])
    assert path is not None
    listed = re.findall(r"^\| `(\S+)` \|", path.read_text(), flags=re.M)
    assert listed == ["generator.fp16.onnx", "generator.fp32.onnx"]
    assert sha256(path.read_bytes()) == sha256(write_readme(folder, [found]).read_bytes())  # type: ignore[union-attr]
