"""Which builder is chosen on which machine, and how much memory it is given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.export.tensorrt import targets as engine_targets
from dcgan_edge.export.tensorrt.config import Settings
from dcgan_edge.export.tensorrt.targets import (
    AHEAD_OF_TIME,
    DEFAULT_TARGETS,
    BuilderChoice,
    choose_builder,
    default_workspace,
    parse_targets,
    targets_of,
)
from dcgan_edge.runtime.cuda import CudaDevice
from tests.engine_models import needs_rtx

MIB = 2**20
ORIN = CudaDevice("Orin", "sm87", True, True, 8 * 2**30, "12.6", "12.6")
Machine = Callable[..., None]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    def set_up(*installed: str, gpu: bool = False, board: bool = False) -> None:
        monkeypatch.setattr(engine_targets, "has_nvidia_gpu", lambda: gpu)
        monkeypatch.setattr(engine_targets, "jetson", lambda: {"model": "Orin"} if board else {})
        monkeypatch.setattr(engine_targets, "is_installed", lambda flavour: flavour in installed)
        monkeypatch.setattr(engine_targets, "load_tensorrt", lambda flavour: flavour)

    return set_up


@settings(deadline=None)
@given(st.lists(st.sampled_from(AHEAD_OF_TIME)))
def test_targets_are_ordered_and_unique(names: list[str]) -> None:
    parsed = parse_targets(names)
    assert set(parsed) == set(names)
    assert [AHEAD_OF_TIME.index(name) for name in parsed] == sorted({AHEAD_OF_TIME.index(n) for n in names})


@pytest.mark.parametrize("name", ["sm87", "sm110", "sm90", "SM86", "8.6", "current", ""])
def test_other_targets_are_refused_with_the_way_out(name: str) -> None:
    with pytest.raises(UsageError, match="on the device itself"):
        parse_targets(["sm86", name])


def choose(names: Sequence[str] = (), device: str = "auto", *, gpu: CudaDevice = ORIN) -> BuilderChoice:
    """What is chosen on a machine whose every GPU is `gpu`."""
    return choose_builder(names, device, describe_gpu=lambda index: gpu)


@pytest.mark.parametrize(("device", "index"), [("auto", 0), ("cuda", 0), ("cuda:1", 1)])
def test_a_gpu_with_tensorrt_builds_for_itself(machine: Machine, device: str, index: int) -> None:
    machine("tensorrt", "rtx", gpu=True)
    assert choose(device=device) == BuilderChoice("tensorrt", (), ORIN, index)


def test_targets_are_built_ahead_of_time_even_beside_a_gpu(machine: Machine) -> None:
    machine("tensorrt", "rtx", gpu=True)
    assert choose(["sm89", "sm75"]) == BuilderChoice("rtx", ("sm75", "sm89"))


def test_tensorrt_rtx_serves_where_there_is_no_gpu(machine: Machine) -> None:
    machine("rtx", "tensorrt")
    assert choose() == BuilderChoice("rtx", DEFAULT_TARGETS)


@pytest.mark.parametrize("device", ["auto", "cuda:1"])
@pytest.mark.parametrize("sm", AHEAD_OF_TIME)
def test_tensorrt_rtx_alone_builds_for_the_gpu_that_is_here(machine: Machine, sm: str, device: str) -> None:
    machine("rtx", gpu=True)
    here = dataclasses.replace(ORIN, sm=sm)
    assert choose(device=device, gpu=here) == BuilderChoice("rtx", (sm,), here, int(device == "cuda:1"))


def test_a_gpu_that_tensorrt_rtx_does_not_know_is_not_replaced_by_others(machine: Machine) -> None:
    machine("rtx", gpu=True)
    with pytest.raises(UnavailableError, match="sm87"):
        choose()


def test_a_gpu_that_cannot_be_used_is_not_replaced_by_others(machine: Machine) -> None:
    machine("rtx", gpu=True)

    def broken(index: int) -> CudaDevice:
        raise UnavailableError("no working driver")

    with pytest.raises(UnavailableError, match="no working driver"):
        choose_builder([], describe_gpu=broken)


def test_a_device_that_is_no_gpu_or_not_here_or_beside_targets_is_refused(machine: Machine) -> None:
    machine("tensorrt", "rtx")
    with pytest.raises(UnavailableError, match="cuda:1"):
        choose(device="cuda:1")
    for targets, device in (([], "cpu"), (["sm86"], "cuda"), (["sm86"], "cpu"), ([], "tpu")):
        with pytest.raises(UsageError):
            choose(targets, device)


@pytest.mark.parametrize(
    ("gpu", "board", "remedy"),
    [
        (False, False, r"dcgan-edge\[rtx\]"),
        (True, False, r"dcgan-edge\[gpu\]"),
        (True, True, "python3-libnvinfer"),
    ],
)
def test_without_a_builder_the_sentence_says_what_to_install(
    machine: Machine, gpu: bool, board: bool, remedy: str
) -> None:
    machine(gpu=gpu, board=board)
    with pytest.raises(UnavailableError, match=remedy):
        choose()


def test_a_broken_tensorrt_is_reported_not_replaced(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine("tensorrt", "rtx", gpu=True)

    def broken(flavour: str) -> None:
        raise UnavailableError(f"{flavour} is too old")

    monkeypatch.setattr(engine_targets, "load_tensorrt", broken)
    with pytest.raises(UnavailableError, match="tensorrt is too old"):
        choose()


@needs_rtx
def test_this_machine_has_a_builder() -> None:
    assert choose(["sm86"]) == BuilderChoice("rtx", ("sm86",))


def test_an_engine_runs_where_it_was_built_and_where_it_was_meant_to() -> None:
    assert targets_of(ORIN, Settings()) == ("sm87",)
    wide = targets_of(ORIN, Settings(hardware_compat="ampere-plus"))
    assert wide[:4] == ("sm80", "sm86", "sm87", "sm89")
    assert wide[-1] == "sm121"


@pytest.mark.parametrize(
    ("available_mib", "board", "workspace_mib"),
    [
        (64_000, False, 256),
        (100, False, 256),
        (64_000, True, 256),
        (700, True, 128),
        (300, True, 64),
        (8, True, 16),
    ],
)
def test_the_workspace_leaves_room_on_a_jetson(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, available_mib: int, board: bool, workspace_mib: int
) -> None:
    machine(board=board)
    monkeypatch.setattr(engine_targets, "available_memory", lambda: available_mib * MIB)
    assert default_workspace() == workspace_mib * MIB
