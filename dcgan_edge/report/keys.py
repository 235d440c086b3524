"""The samples of lines that stand in the page's legends, as small SVG drawings that look like the charts."""

from __future__ import annotations

from dcgan_edge.report.drawing import COLOURS, dash, shape

PATHS = {  # matplotlib's name of a marker: the same shape around (14, 6)
    "o": "M10.5 6a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "s": "M11 3h6v6h-6z",
    "^": "M14 2l4 7.5h-8z",
    "D": "M14 1.5l4.5 4.5-4.5 4.5-4.5-4.5z",
}
HATCH = "M2 12l10-12M10 12l10-12M18 12l10-12"


def key(index: int, *, marked: bool) -> str:
    """Series `index`: its colour and dash and, if `marked`, its marker."""
    colour = f"var(--s{index % len(COLOURS)})"
    marker = f'<path d="{PATHS[shape(index)]}" style="fill: {colour}"/>' if marked else ""
    return _svg(_line("M0 6h28", colour, index) + marker)


def roof_key(number: int) -> str:
    """Roof `number` of a roofline."""
    return _svg(_line("M0 10L12 4H28", "var(--ink)", number))


def swatch(hatch: bool) -> str:
    """A shaded stretch of time, hatched or filled."""
    if hatch:
        return _svg(f'<path d="{HATCH}" style="stroke: var(--muted)"/>')
    return _svg('<path d="M0 0h28v12h-28z" style="fill: var(--rule); stroke: none"/>')


def _line(path: str, colour: str, index: int) -> str:
    dashes = " ".join(f"{length:g}" for length in dash(index)) or "none"
    return f'<path d="{path}" style="stroke: {colour}; stroke-width: 2; stroke-dasharray: {dashes}"/>'


def _svg(paths: str) -> str:
    return f'<svg class="key" viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">{paths}</svg>'
