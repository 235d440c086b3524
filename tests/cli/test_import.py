"""`dcgan-edge import`: tables and JSON, exit codes, and that its checkpoint goes through every command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

from dcgan_edge.cli import main
from tests.export.foreign.networks import CASES, Case, trained


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], catch_exceptions=False)


def document(*arguments: object) -> dict[str, Any]:
    """The JSON document that a command prints, whatever its exit code."""
    facts: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return facts


def saved(tmp_path: Path, case: Case) -> Path:
    """The weights of a network, with its samples beside them as `samples.npz`."""
    network, inputs, images = trained(case)
    path = tmp_path / "netG.pth"
    torch.save(network.state_dict(), path)
    classes = inputs[:, case.latent :, 0, 0].argmax(1).numpy() if case.classes else np.zeros(len(inputs), int)
    np.savez(
        tmp_path / "samples.npz",
        latents=inputs[:, : case.latent].numpy(),
        images=images.numpy(),
        classes=classes,
    )
    return path


def test_the_checkpoint_goes_through_every_command(tmp_path: Path) -> None:
    """A conditional generator of 128 pixels with dropout, whose classes have names."""
    path, out = saved(tmp_path, CASES["classes and dropout"]), tmp_path / "out"
    names = "ant,bee,cat,dog,elk,fox,gnu,hen"
    answer = run("import", path, "--out", out, "--classes", names, "--expect", tmp_path / "samples.npz")
    assert answer.exit_code == 0, answer.output
    for said in ("128", "conv_transpose", "padding 1", "Measured on 3"):
        assert said in answer.stdout
    checkpoint = out / "checkpoint.safetensors"
    exported = document("export", checkpoint, "--out", out)
    assert [file["parity"]["verdict"] for file in exported["files"]] == ["passed", "passed"]
    origin = exported["files"][0]["origin"]
    assert (origin["kind"], origin["file"], origin["proof"]) == ("import", "netG.pth", "measured")
    assert run("verify", out / "generator.fp16.onnx").exit_code == 0
    assert run("verify", checkpoint, out / "generator.fp32.onnx", "--seeds", "0-7").exit_code == 0
    sampled = run(
        "sample", out / "generator.fp16.onnx", "--seeds", "0-1", "--class", "cat", "--out", out / "s"
    )
    assert sampled.exit_code == 0, sampled.output
    told = run("info", checkpoint)
    assert (told.exit_code, "netG.pth" in told.stdout, "measured" in told.stdout) == (0, True, True)
    assert "netG.pth" in run("info", out / "generator.fp16.onnx").stdout


@pytest.mark.slow
def test_an_engine_is_built_of_an_imported_generator(tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    path, out = saved(tmp_path, CASES["PyTorch-GAN"]), tmp_path / "out"
    assert run("import", path, "--out", out).exit_code == 0
    made = document(
        "export", out / "checkpoint.safetensors", "--out", out, "--precision", "fp16", "--format", "engine",
        "--target", "sm86",
    )  # fmt: skip
    engine = made["files"][-1]
    assert (engine["kind"], engine["origin"]["file"]) == ("engine", "netG.pth")
    assert Path(engine["path"]).stat().st_size > 0


def test_what_was_assumed_is_printed_and_stands_in_the_document(tmp_path: Path) -> None:
    path = saved(tmp_path, CASES["2x2 and 7x7"])
    answer = run("import", path, "--out", tmp_path / "out")
    facts = document("import", path, "--out", tmp_path / "out")
    assert answer.exit_code == 0
    assert facts["proof"] == "assumed"
    assert facts["parity"] is None
    assert facts["assumptions"]
    for assumption in facts["assumptions"]:
        assert assumption in answer.stdout
    assert [layer["kind"] for layer in facts["layers"]][:2] == ["flatten", "dense"]
    assert {row["layer"] >= 0 for row in facts["tensors"]} == {True}
    assert Path(facts["grid"]).is_file()


def test_the_list_shows_every_tensor_and_what_it_became(tmp_path: Path) -> None:
    path = saved(tmp_path, CASES["deconv1_bn"])
    answer = run("import", "--list", path)
    assert answer.exit_code == 0
    assert "deconv3_bn.running_var" in answer.stdout
    assert "conv_transpose" in answer.stdout
    assert document("import", "--list", path)["recognised"] is True


def test_the_list_of_what_is_no_generator_ends_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "netD.pth"
    torch.save(nn.Sequential(nn.Conv2d(3, 8, 4), nn.Conv2d(8, 1, 4)).state_dict(), path)
    answer = run("import", "--list", path)
    assert answer.exit_code == 6
    assert "0.weight" in answer.stdout
    assert "discriminator" in answer.stderr
    facts = document("import", "--list", path)
    assert (facts["recognised"], facts["error"]["exit_code"], len(facts["tensors"])) == (False, 6, 4)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["missing.pth"], 2),
        (["netG.pth", "--size", "300"], 2),
        (["netG.pth", "--classes", "a,a"], 2),
        (["netG.pth", "--activation", "gelu"], 2),
        (["netG.pth", "--expect", "missing.npz"], 2),
        (["netG.pth", "--expect", "netG.pth"], 6),
        (["netG.pth", "--expect", "wrong.npz", "--activation", "relu"], 3),
        (["netG.pth", "--list", "--out", "x"], 2),
        (["netG.pth", "--list", "--expect", "samples.npz"], 2),
        (["samples.npz"], 6),
    ],
)
def test_errors_have_their_exit_codes_and_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int
) -> None:
    saved(tmp_path, CASES["2x2 and 7x7"])
    samples = dict(np.load(tmp_path / "samples.npz"))
    np.savez(tmp_path / "wrong.npz", **(samples | {"images": -samples["images"]}))
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert document("import", *arguments)["error"]["exit_code"] == code
    assert set(tmp_path.iterdir()) == before
