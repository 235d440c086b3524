from __future__ import annotations

import pytest

from dcgan_edge.cli.options import parse_size
from dcgan_edge.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [("256MiB", 256 * 2**20), ("1", 2**30), ("1.5 GiB", 3 * 2**29), ("500MB", 500_000_000), ("7b", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1 XB", "0", "1e3", "nan"])
def test_other_text_is_no_size(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)
