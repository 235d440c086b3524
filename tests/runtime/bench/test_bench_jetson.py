"""The whole way of a benchmark on a Jetson, from the board's files to the page: `bench` on a small exported
generator, the record, `dcgan-edge report`. The boards are those of jetson_trees.py: published figures, not
recorded by us on hardware.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from torch import nn

from dcgan_edge.artifact import BatchProfile, Manifest, embed_manifest, generator_tensors, write_artifact
from dcgan_edge.cli import main
from dcgan_edge.export.onnx.graph import build_graph
from dcgan_edge.runtime.bench.measure import label, measure
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.record import BenchReport, Measurement, read_report
from dcgan_edge.runtime.session import open_session
from dcgan_edge.runtime.telemetry import sampler
from dcgan_edge.runtime.telemetry.sampler import Recorder
from tests.html_page import Page
from tests.jetson_trees import (
    AGX_ORIN,
    ORIN_NANO,
    ORIN_NX,
    THOR,
    TegrastatsReplay,
    Tree,
    gpu,
    plant,
    rails,
    refuse_reading,
    replant,
)
from tests.prepared import TINY

BATCH = 2
NAME = "generator.fp32.onnx"
PLAN = BenchPlan((BATCH,), duration_s=0.2, rounds=2, warm_up_s=0.0, idle_s=0.3)
# Power changes only between windows, and a sample lies between each change and the windows on its two sides.
# So no trapezoid spans a change, sampling adds no error, and what is left is the rounding of float64 sums.
ROUNDING = 1e-9
PATIENCE_S = 60.0  # for a sample that comes every 0.2 s; only a hang takes so long


@dataclass(frozen=True)
class Board:
    """A board at rest and in the two rounds of PLAN, and what by hand its whole draws then, in watts."""

    rest: Tree
    rounds: tuple[Tree, Tree]
    rest_watts: float
    round_watts: tuple[float, float]
    scope: str
    parts: tuple[str, ...]
    refused: tuple[str, ...] = ()


def _orin_nano(total: float, gpu_clock: int) -> Tree:
    behind = (("VDD_CPU_GPU_CV", total - 4000), ("VDD_SOC", 1500))
    return rails(1, "1-0040", ("VDD_IN", total), *behind) | gpu(
        "17000000.gpu", now=gpu_clock, highest=1020, load=970
    )


def _agx_orin(gpu_soc: float, cpu: float, system: float) -> Tree:
    return {
        **rails(3, "1-0040", ("VDD_GPU_SOC", gpu_soc), ("VDD_CPU_CV", cpu), ("VIN_SYS_5V0", system)),
        **rails(4, "1-0041", ("NC", 0), ("VDDQ_VDD2_1V8AO", 900), ("NC", 0)),
        **gpu("17000000.ga10b", now=1300, highest=1300, load=990),
    }


def _thor(gpu_rail: float, cpu: float, system: float) -> Tree:
    return rails(2, "2-0040", ("VDD_GPU", gpu_rail), ("VDD_CPU_SOC_MSS", cpu), ("VIN_SYS_5V0", system))


BOARDS = {
    "orin nano": Board(
        ORIN_NANO,
        (_orin_nano(11_090, 1020), _orin_nano(13_090, 1020)),
        4.09,
        (11.09, 13.09),  # VDD_IN alone: what is behind it is not added
        "Jetson Orin Nano, Orin NX or Xavier NX module",
        ("power/VDD_IN",),
    ),
    "agx orin": Board(
        AGX_ORIN,
        (_agx_orin(12_400, 2_500, 6_200), _agx_orin(15_400, 2_505, 6_205)),
        8.72,  # 2.41 + 1.605 + 4.705
        (21.1, 24.11),
        "Jetson AGX Orin module",
        ("power/VDD_GPU_SOC", "power/VDD_CPU_CV", "power/VIN_SYS_5V0"),
    ),
    "thor": Board(
        THOR,
        (_thor(21_000, 5_165, 5_125), _thor(41_000, 5_165, 6_125)),
        8.29,  # 0 + 4.165 + 4.125
        (31.29, 52.29),
        "Jetson Thor module",
        ("power/VDD_GPU", "power/VDD_CPU_SOC_MSS", "power/VIN_SYS_5V0"),
    ),
    "orin nx without root": Board(
        ORIN_NX,
        (rails(1, "1-0040", ("VDD_IN", 14_305)), rails(1, "1-0040", ("VDD_IN", 16_305))),
        4.305,
        (14.305, 16.305),
        "Jetson Orin Nano, Orin NX or Xavier NX module",
        ("power/VDD_IN",),
        refused=("clk/emc/rate",),
    ),
}


class Stage:
    """The `progress` of a benchmark: before the steps named in `scenes` it changes the machine.

    It waits for a whole sample before and after the change: the stretch that has ended is sampled to its end
    by then, and the one that begins from its beginning.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, scenes: Mapping[str, Callable[[], None]]) -> None:
        self._scenes = dict(scenes)
        self._changed = threading.Condition()
        self._begun = self._done = 0
        tick = Recorder.tick

        def watched(recorder: Recorder, *, every_source: bool = False) -> None:
            with self._changed:
                self._begun += 1
            tick(recorder, every_source=every_source)
            with self._changed:
                self._done = self._begun
                self._changed.notify_all()

        monkeypatch.setattr(Recorder, "tick", watched)

    def __call__(self, step: str) -> None:
        if step in self._scenes:
            self._whole_sample()
            self._scenes.pop(step)()
            self._whole_sample()

    def all_shown(self) -> bool:
        return not self._scenes

    def _whole_sample(self) -> None:
        with self._changed:
            number = self._begun + 1
            assert self._changed.wait_for(lambda: self._done >= number, PATIENCE_S), "sampling has stopped"


@pytest.fixture(scope="module")
def artifact(generator: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, result = generator_tensors(TINY)
    manifest = Manifest("onnx", TINY, "fp32", (source,), (result,), BatchProfile(), "", "test")
    path = tmp_path_factory.mktemp("onnx") / NAME
    data = build_graph(generator, TINY, manifest.batch).SerializeToString()
    write_artifact(path, embed_manifest(data, manifest), manifest)
    return path


def measured(
    monkeypatch: pytest.MonkeyPatch, artifact: Path, root: Path, rounds: tuple[Callable[[], None], ...]
) -> BenchReport:
    """The record of a benchmark of `artifact` on the board below `root`, on which each of `rounds` comes
    before a round; written, and read back."""
    first, second = rounds
    stage = Stage(monkeypatch, {f"batch {BATCH}: warming up": first, f"batch {BATCH}: round 2 of 2": second})
    opener = functools.partial(open_session, artifact, threads=1)
    report = measure([(NAME, opener)], PLAN, root=root, progress=stage)
    assert stage.all_shown()
    path = root / "record.json"
    path.write_text(report.to_json())
    read = read_report(path)
    assert read.to_json() == report.to_json()
    return read


def joules_by_hand(report: BenchReport, rest_watts: float, round_watts: tuple[float, float]) -> float:
    """(W of the round - W at rest) x s of the round, of both rounds."""
    name = label(NAME, BATCH, 1)
    windows = [window for window in report.telemetry["windows"] if window["label"] == name]
    seconds = [(window["stop_ns"] - window["start_ns"]) / 1e9 for window in windows]
    return sum(((busy - rest_watts) * each for busy, each in zip(round_watts, seconds, strict=True)), 0.0)


def images_of(measurement: Measurement) -> int:
    return BATCH * sum(len(samples) for samples in measurement.rounds)


def page_of(root: Path) -> Page:
    """The page that `dcgan-edge report` makes of the record."""
    target = root / "page.html"
    arguments = ["report", str(root / "record.json"), "--output", str(target)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    html = target.read_text()
    assert not re.search(r"\b(nan|inf)\b", re.sub(r"base64,[\w+/=]*", "", html), re.IGNORECASE)
    page = Page(html)
    page.text = re.sub(r"\s+", " ", page.text)
    return page


def millijoules(joules_per_image: float) -> str:
    """As the page writes it: three significant digits."""
    return f"{1000 * joules_per_image:#.3g}".removesuffix(".")


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_the_energy_of_a_board_is_that_computed_by_hand(
    board: Board, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, board.rest)
    refuse_reading(monkeypatch, *board.refused)
    rounds = tuple(functools.partial(replant, tmp_path, tree) for tree in board.rounds)
    report = measured(monkeypatch, artifact, tmp_path, rounds)
    (measurement,) = report.measurements
    energy, images = measurement.energy, images_of(measurement)
    by_hand = joules_by_hand(report, board.rest_watts, board.round_watts) / images
    assert by_hand > 0
    assert energy["joules_per_image"] == pytest.approx(by_hand, rel=ROUNDING)
    assert energy["images_per_joule"] == pytest.approx(1 / by_hand, rel=ROUNDING)
    assert energy["idle_watts"] == pytest.approx(board.rest_watts, rel=ROUNDING)
    assert (energy["scope"], tuple(energy["parts"]), energy["images"]) == (board.scope, board.parts, images)

    page = page_of(tmp_path)
    assert board.scope in page.text
    # the record's own figures, equal to those by hand: a half is rounded as its last bit falls
    assert f" {millijoules(energy['joules_per_image'])} " in page.text
    assert f" {energy['idle_watts']:.2f} " in page.text
    assert {"energy", "timeline"} <= set(page.ids())
    for shown in ("Power", "Clocks", "Temperatures", *(part.removeprefix("power/") for part in board.parts)):
        assert f" {shown} " in page.text
    refused = [line for line in report.telemetry["not_readable"] if "permission denied" in line]
    assert [line.partition(",")[0] for line in refused] == ["memory clock: not readable"] * len(board.refused)
    assert all(line in page.text for line in refused)


def test_where_rails_are_refused_tegrastats_stands_in(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, ORIN_NX)
    refuse_reading(monkeypatch, "_input", "clk/emc/rate")
    tegrastats = TegrastatsReplay(_line(4304))
    monkeypatch.setattr(sampler, "FALLBACKS", [lambda root: tegrastats])
    rounds = tuple(
        functools.partial(setattr, tegrastats, "line", _line(milliwatts)) for milliwatts in (12_304, 15_304)
    )
    report = measured(monkeypatch, artifact, tmp_path, rounds)
    (measurement,) = report.measurements
    by_hand = joules_by_hand(report, 4.304, (12.304, 15.304)) / images_of(measurement)
    assert measurement.energy["joules_per_image"] == pytest.approx(by_hand, rel=ROUNDING)
    assert measurement.energy["parts"] == ["power/VDD_IN"]
    assert report.telemetry["facts"]["tegrastats"] == {"source": "tegrastats, first figure of each rail"}
    page = page_of(tmp_path)
    assert f" {millijoules(measurement.energy['joules_per_image'])} " in page.text
    assert " VDD_IN " in page.text
    assert "power rails: not readable, because permission denied" in page.text


def test_where_nothing_measures_power_the_page_says_so_instead_of_a_figure(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, ORIN_NX)
    refuse_reading(monkeypatch, "_input")
    report = measured(monkeypatch, artifact, tmp_path, (lambda: None, lambda: None))
    reason = "total power: not readable, because nothing here measures power"
    assert [measurement.energy for measurement in report.measurements] == [{"not_readable": reason}]
    said = " ".join(report.telemetry["not_readable"])
    assert "power rails: not readable, because permission denied" in said
    assert "tegrastats: not readable, because it cannot look at" in said
    page = page_of(tmp_path)
    assert f"Not measured: {reason}." in page.text
    assert "mJ per image" not in page.text


def _line(milliwatts: int) -> str:
    """A line of an Orin NX whose module takes so much; the published one is of 4304 mW."""
    rest = "RAM 1224/15656MB (lfb 8x4MB) CPU [1%@729,3%@1510] GR3D_FREQ 0% gpu@43.406C tj@45.843C"
    rails_now = f"VDD_IN {milliwatts}mW/{milliwatts}mW VDD_CPU_GPU_CV 573mW/573mW VDD_SOC 1218mW/1218mW"
    return f"07-16-2026 13:03:45 {rest} {rails_now}"
