"""The door to NVIDIA's libraries: what is said when one is missing, and what its logger keeps."""

from __future__ import annotations

import importlib.util
import logging
import sys
from types import ModuleType, SimpleNamespace

import pytest

from dcgan_edge.errors import UnavailableError
from dcgan_edge.runtime.tensorrt import library as tensorrt_library
from dcgan_edge.runtime.tensorrt.library import (
    captured,
    is_installed,
    load_tensorrt,
    optional,
    process_logger,
    set_optional,
    version_of,
    version_tag,
)


class ILogger:
    """As in the bindings: severities, and a base class whose `log` is overridden."""

    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    def log(self, severity: int, message: str) -> None:
        raise NotImplementedError


def library(name: str = "tensorrt", version: str = "10.3.0") -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(ILogger=ILogger, __version__=version)
    return module


@pytest.mark.parametrize(
    ("name", "version", "tag"),
    [
        ("tensorrt", "10.3.0", "trt10.3.0"),
        ("tensorrt", "10.13.3.9", "trt10.13.3"),
        ("tensorrt", "11.4.0.106", "trt11.4.0"),
        ("tensorrt_rtx", "1.7.1.116", "rtx1.7.1"),
    ],
)
def test_versions_become_tags(name: str, version: str, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = library(name, version)
    monkeypatch.setitem(sys.modules, name, module)
    loaded = load_tensorrt("rtx" if name.endswith("rtx") else "tensorrt")
    assert loaded is module
    assert version_tag(loaded) == tag
    assert tag.endswith(".".join(map(str, version_of(loaded))))


def test_an_old_tensorrt_on_a_jetson_names_the_jetpack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", library(version="8.6.2.3"))
    monkeypatch.setattr(tensorrt_library, "jetson", lambda: {"model": "Orin"})
    with pytest.raises(UnavailableError, match=r"8\.6\.2\.3 is older than 10\.3.*JetPack 6\.1"):
        load_tensorrt()


@pytest.mark.parametrize(("flavour", "extra"), [("tensorrt", "gpu"), ("rtx", "rtx")])
def test_old_versions_elsewhere_are_upgraded_by_pip(
    flavour: tensorrt_library.Flavour, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = tensorrt_library.MODULES[flavour]
    monkeypatch.setitem(sys.modules, name, library(name, "1.0.0"))
    with pytest.raises(UnavailableError, match=rf"pip install --upgrade 'dcgan-edge\[{extra}\]'"):
        load_tensorrt(flavour)


def import_fails_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> ModuleType:
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)


@pytest.mark.parametrize(
    ("flavour", "on_jetson", "remedy"),
    [
        ("tensorrt", False, r"pip install 'dcgan-edge\[gpu\]'"),
        ("tensorrt", True, "python3-libnvinfer.*--system-site-packages"),
        ("rtx", False, r"pip install 'dcgan-edge\[rtx\]'"),
    ],
)
def test_a_missing_library_says_how_to_get_it(
    flavour: tensorrt_library.Flavour, on_jetson: bool, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = tensorrt_library.MODULES[flavour]
    import_fails_with(ModuleNotFoundError(name=name), monkeypatch)
    monkeypatch.setattr(tensorrt_library, "jetson", lambda: {"model": "Orin"} if on_jetson else {})
    with pytest.raises(UnavailableError, match=rf"{name} is not installed\. .*{remedy}"):
        load_tensorrt(flavour)


@pytest.mark.parametrize(
    "error",
    [
        ImportError("libnvinfer.so.10: cannot open shared object file"),
        ModuleNotFoundError("No module named 'tensorrt_libs'", name="tensorrt_libs"),
        OSError("bad ELF header"),
    ],
)
def test_a_broken_library_says_why(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    import_fails_with(error, monkeypatch)
    with pytest.raises(UnavailableError, match="is installed but does not load"):
        load_tensorrt()


def test_installed_is_known_without_importing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", library())
    assert is_installed("tensorrt")
    monkeypatch.delitem(sys.modules, "tensorrt")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not is_installed("tensorrt")


def test_warnings_and_errors_are_kept_for_whoever_asks(caplog: pytest.LogCaptureFixture) -> None:
    logger = process_logger(library())
    caplog.set_level(logging.INFO, logger="dcgan_edge.tensorrt")
    with captured() as outer:
        logger.log(ILogger.ERROR, "first")
        with captured() as inner:
            logger.log(ILogger.WARNING, "second")
            logger.log(ILogger.INFO, "an aside")
            logger.log(ILogger.VERBOSE, "a detail")
        logger.log(ILogger.INTERNAL_ERROR, "third")
    logger.log(ILogger.ERROR, "too late")
    assert list(inner) == ["second"]
    assert list(outer) == ["first", "second", "third"]
    assert "an aside" in caplog.text
    assert "a detail" not in caplog.text


def test_only_the_last_lines_are_kept() -> None:
    logger = process_logger(library())
    with captured(limit=2) as lines:
        for text in "abc":
            logger.log(ILogger.ERROR, text)
    assert list(lines) == ["b", "c"]


def test_there_is_one_logger_for_each_library() -> None:
    one, other = library(), library("tensorrt_rtx", "1.7.1")
    assert process_logger(one) is process_logger(one)
    assert process_logger(one) is not process_logger(other)


def test_optional_names() -> None:
    config = SimpleNamespace(level=3)
    assert optional(config, "level", versions=("rtx",)) == 3
    assert optional(config, "nonsense", versions=("rtx",)) is None
    set_optional(config, "level", 4, versions=("rtx",))
    assert config.level == 4
    with pytest.raises(UnavailableError, match=r"has no SimpleNamespace\.nonsense"):
        set_optional(config, "nonsense", 4, versions=("rtx",))
