"""Optional libraries: looked for before long work, and named with the extra that brings them."""

from __future__ import annotations

import importlib.util
import sys

from dcgan_edge.errors import UnavailableError


def need(library: str, extra: str) -> None:
    """Raise UnavailableError unless `library` can be imported, naming the extra of this package with it."""
    if not is_installed(library):
        raise UnavailableError(
            f"This needs {library}, which is not installed: pip install 'dcgan-edge[{extra}]'"
        )


def is_installed(library: str) -> bool:
    """Whether `library` can be imported, without importing it."""
    try:
        return importlib.util.find_spec(library) is not None
    except ValueError:  # a module that somebody put into sys.modules by hand
        return sys.modules.get(library) is not None
