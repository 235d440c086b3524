"""The laboratory as a fixture, for test modules that say `pytest_plugins = ("tests.fakes.fixtures",)`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.lab import Lab
from tests.fakes.surface import VERSIONS


@pytest.fixture(params=VERSIONS)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A machine for each supported version of NVIDIA's libraries."""
    with Lab(request.param) as laboratory:
        yield laboratory
