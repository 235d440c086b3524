from __future__ import annotations

from pathlib import Path

import pytest

from dcgan_edge.runtime.tensorrt.rtx import cache_file

NAME = "tensorrt-rtx/0123456789abcdef.nvidia-geforce-rtx-4090.rtx1.7.1.116.cache"


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"DCGAN_EDGE_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/dcgan-edge"),
        ({"DCGAN_EDGE_CACHE": "", "XDG_CACHE_HOME": ""}, "/home/somebody/.cache/dcgan-edge"),
    ],
)
def test_kernels_are_kept_in_the_users_cache_by_engine_gpu_and_version(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    for name in ("DCGAN_EDGE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = cache_file("0123456789abcdef" * 4, "NVIDIA GeForce RTX 4090", "1.7.1.116")
    assert found == Path(folder, NAME)
