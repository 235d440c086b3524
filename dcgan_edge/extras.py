"""Optional libraries: looked for before long work, and named with the extra that brings them."""

from __future__ import annotations

import importlib.util

from dcgan_edge.errors import UnavailableError


def need(library: str, extra: str) -> None:
    """Raise UnavailableError unless `library` can be imported, naming the extra of this package with it."""
    try:
        found = importlib.util.find_spec(library) is not None
    except ValueError:  # a module that was taken out of sys.modules
        found = False
    if not found:
        raise UnavailableError(
            f"This needs {library}, which is not installed: pip install 'dcgan-edge[{extra}]'"
        )
