"""The page "From somebody's .pth to a Jetson": its commands run in order, up to where a board is needed."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dcgan_edge.artifact import read_artifact
from dcgan_edge.cli import main
from dcgan_edge.verification import verify

PAGE = Path(__file__).parent.parent / "docs" / "pth-to-jetson.md"
BOARD = "## On the board"
# The official example's generator (pytorch/examples, dcgan/main.py) in its own manner, but few channels.
EXAMPLE = """
import torch.nn as nn

nz, ngf, nc = 100, 4, 3


class Generator(nn.Module):
    def __init__(self):
        super(Generator, self).__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 8, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 8),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 8, ngf * 4, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf * 4),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 4, ngf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, input):
        return self.main(input)
"""
TRAINED = """
import torch
from dcgan import Generator

torch.manual_seed(0)
netG = Generator()
optimizer = torch.optim.Adam(netG.parameters(), lr=0.0002, betas=(0.5, 0.999))
for step in range(3):  # statistics and weights that have moved
    loss = (netG(torch.randn(16, 100, 1, 1)) - 0.5).square().mean()
    netG.zero_grad()
    loss.backward()
    optimizer.step()
torch.save(netG.state_dict(), "netG_epoch_24.pth")
"""


def steps() -> list[tuple[str, str]]:
    """(language, code) of each fenced block before the board, in order."""
    before, _, after = PAGE.read_text().partition(BOARD)
    assert "```bash" in after  # the heading is there, and commands come after it
    return re.findall(r"^```(bash|python)\n(.*?)^```", before, flags=re.M | re.S)


def run_python(code: str) -> None:
    """Run `code` as in a folder of its own: what lies there can be imported, and is forgotten afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path.cwd())
        exec(compile(code, str(PAGE), "exec"), {"__name__": "page"})
    sys.modules.pop("dcgan", None)


@pytest.mark.torch
def test_the_way_to_the_board_can_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dcgan.py").write_text(EXAMPLE)
    run_python(TRAINED)
    seen = []
    for language, code in steps():
        if language == "python":
            run_python(code)
            continue
        for line in code.splitlines():
            program, *words = shlex.split(line)
            assert program == "dcgan-edge"
            result = CliRunner().invoke(main, words)
            assert result.exit_code == 0, (line, result.output, result.stderr)
            seen.append(words[0])
    sys.modules.pop("dcgan", None)
    assert seen == ["import", "import", "import", "export", "verify", "verify", "sample", "export"]
    assert Path("faces/samples.png").is_file()
    assert Path("samples/grid.png").is_file()
    for folder in ("out", "module"):
        for precision in ("fp32", "fp16"):
            path = Path(folder, f"generator.{precision}.onnx")
            manifest, _ = read_artifact(path)
            assert manifest.parity["verdict"] == "passed"
            assert manifest.origin is not None
            assert manifest.origin.proof == "measured"
        assert Path(folder, "README.md").is_file()
    # Both ways lead to the same generator.
    (proof,) = verify("module/generator.fp32.onnx", "faces/checkpoint.safetensors", seeds=range(8))
    assert proof.parity.passed


def test_it_does_not_claim_a_board() -> None:
    before, _, after = PAGE.read_text().partition(BOARD)
    assert "was not run on a Jetson" in " ".join(before.split())
    assert "From here on hardware is needed" in after
