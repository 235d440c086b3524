"""The page at `/`: one document with its style and its script inside, which asks nobody but its own
server."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

STYLE, SCRIPT = "/* page.css */", "/* page.js */"  # what stands for the two other files in page.html


@dataclass(frozen=True)
class Page:
    """The document, and the headers that let nothing but its own script and style run."""

    html: str
    headers: Mapping[str, str]

    @classmethod
    def read(cls) -> Page:
        """Return the page, put together from the files of this package."""
        files = resources.files(__package__)
        html, style, script = (
            files.joinpath(f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
        )
        policy = (
            f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
            "connect-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
        return cls(html.replace(STYLE, style).replace(SCRIPT, script), headers)


def _source(text: str) -> str:
    """Return how a Content-Security-Policy names the inline element that holds `text`."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
