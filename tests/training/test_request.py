"""What Python code may ask of `train`: values of other types are refused, and bugs stay what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dcgan_edge as de
from dcgan_edge.errors import UsageError
from dcgan_edge.training import request


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    "asked",
    [
        {"size": "28"},
        {"recipe": []},
        {"keep": "two"},
        {"epochs": 1.5},
        {"minutes": "90s"},
        {"distribution": "cauchy"},
        {"conditional": "no"},
    ],
    ids=str,
)
def test_a_value_of_another_type_is_refused_by_its_name(
    asked: dict[str, Any], resume: bool, checkpoint: Path
) -> None:
    with pytest.raises(UsageError, match=next(iter(asked))):
        de.train(out=checkpoint.parent, resume=resume, **asked)


def test_a_value_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="latent_dim"):
        de.train(out=tmp_path / "run", latent_dim=10**9)


@pytest.mark.parametrize("name", ["native_size", "native_channels", "run_training"])
@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_a_bug_keeps_its_traceback(
    name: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error("a bug")

    monkeypatch.setattr(request, name, broken)
    with pytest.raises(error, match="a bug"):
        de.train(out=tmp_path / "run", epochs=1)
