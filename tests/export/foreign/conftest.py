from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_child(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adopt without the process that looks at a file first: it takes a second."""
    if request.path.name in ("test_adopt.py", "test_adopt_refusals.py"):
        monkeypatch.setattr("dcgan_edge.export.foreign.adopt.check_in_child", lambda *_: None)
