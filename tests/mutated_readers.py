"""How a user has each kind of file read, and small sound files of each kind, for `mutated_files`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

import dcgan_edge
from dcgan_edge.artifact import sidecar_path, write_artifact
from dcgan_edge.cli import main
from dcgan_edge.data.packed import KIND, SCHEMA_VERSION, header, open_packed
from dcgan_edge.errors import ArtifactError
from dcgan_edge.files import sha256
from dcgan_edge.runtime.bench.record import read_report
from dcgan_edge.runtime.session import open_session
from dcgan_edge.training.checkpoint import check_checkpoint, load_generator
from tests.fakes.lab import Lab
from tests.prepared import artifacts_in, checkpoint_in
from tests.report_pieces import bench_report, measurement

LAB = Lab()


def run_artifact(path: Path) -> None:
    """As `dcgan-edge sample` does."""
    with open_session(path, device="cpu", threads=1) as session:
        session.generate([0])


def run_on_openvino(path: Path) -> None:
    """As `dcgan-edge sample --backend openvino` does."""
    with open_session(path, device="cpu", threads=1, backend="openvino") as session:
        session.generate([0])


def prove(path: Path) -> None:
    """As `dcgan-edge verify` does."""
    dcgan_edge.verify(path, device="cpu", threads=1)


def read_engine(path: Path) -> None:
    """As `dcgan-edge sample` does, on the in-memory GPU."""
    with LAB.installed(), open_session(path) as session:
        session.generate([0])


def read_checkpoint_generator(path: Path) -> None:
    """As `dcgan-edge export` and `train --resume` do."""
    load_generator(path)
    check_checkpoint(path)


def read_foreign_weights(path: Path) -> None:
    """As `dcgan-edge import` reads the files of torch.save and of safetensors."""
    from dcgan_edge.export.foreign.containers import read_tensors

    read_tensors(path)


def read_foreign_keras(path: Path) -> None:
    """As `dcgan-edge import` reads the files of Keras."""
    from dcgan_edge.export.foreign.keras import read_keras

    read_keras(path)


def show(path: Path) -> None:
    """`dcgan-edge info`, on the screen and as JSON."""
    for more in ((), ("--json",)):
        answer = CliRunner().invoke(main, ["info", str(path), *more], catch_exceptions=False)
        if answer.exit_code:
            assert answer.exit_code == ArtifactError.exit_code, answer.stderr
            raise ArtifactError(answer.stderr)


def read_record(path: Path) -> None:
    """As `bench --compare` and `report` do."""
    report = read_report(path)
    for each in report.measurements:
        json.dumps([each.statistics.median, each.images_per_second, each.unstable_because])


def read_packed(path: Path) -> None:
    """As `train --data` does."""
    open_packed(path).sum()


def write_samples(folder: Path) -> tuple[Path, Path, Path]:
    """Write a benchmark record, packed images and an engine of the in-memory GPU into `folder`."""
    record = folder / "bench.json"
    record.write_text(bench_report(measurement("a.onnx"), measurement("b.onnx", 4)).to_json())
    packed = folder / "images.npy"
    shape = (6, 1, 8, 8)
    content = header(shape) + np.arange(6 * 64, dtype=np.uint8).tobytes()
    packed.write_bytes(content)
    facts = {
        "kind": KIND, "schema_version": SCHEMA_VERSION, "count": 6, "channels": 1, "size": 8,
        "sha256": sha256(content),
    }  # fmt: skip
    sidecar_path(packed).write_text(json.dumps(facts))
    engine = folder / "generator.fp16.engine"
    data = LAB.blob().pack()
    write_artifact(engine, data, LAB.manifest(data))
    return record, packed, engine


def write_foreign(folder: Path) -> tuple[Path, Path, Path, Path]:
    """Write weights of other programs into `folder`: torch's archive, its old format, safetensors, Keras."""
    import torch
    from safetensors.torch import save_file
    from torch import nn

    from tests.export.foreign.keras_files import Network, write_archive

    network = nn.Sequential(nn.ConvTranspose2d(4, 8, 4), nn.BatchNorm2d(8), nn.ConvTranspose2d(8, 1, 4))
    files = tuple(folder / f"weights.{name}" for name in ("pth", "old.pth", "safetensors", "keras"))
    torch.save({"netG": network.state_dict()}, files[0])
    torch.save({"netG": network.state_dict()}, files[1], _use_new_zipfile_serialization=False)
    save_file(network.state_dict(), files[2])
    write_archive(files[3], Network((4,)).dense(12, activation="tanh").reshape(2, 2, 3))
    return files[0], files[1], files[2], files[3]


def make_files(folder: Path) -> tuple[Path, Path]:
    """Train two steps and export: a checkpoint, and the folder with its ONNX files."""
    trained = checkpoint_in(folder / "run")
    return trained, artifacts_in(folder / "artifacts", trained)
