"""How the report draws: matplotlib's SVG, for an `<img>` of the page.

A drawing stands alone: it has the page's light colours, and a style sheet that replaces each of them by its
dark one where the reader's screen is dark. Text stays text, in the page's font.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 400, 264  # SVG units; text of 12 of them is still read when a phone shows 340 pixels
LIGHT = {
    "paper": "#fcfcfa", "ink": "#1b1f24", "muted": "#59616b", "rule": "#dddbd3", "s0": "#0067a8",
    "s1": "#b44d00", "s2": "#00795a", "s3": "#99396f", "s4": "#7a6400", "s5": "#4d5560",
}  # fmt: skip
DARK = {
    "paper": "#14171a", "ink": "#e8eaeb", "muted": "#a3abb3", "rule": "#343a40", "s0": "#5fb4f4",
    "s1": "#f59a5f", "s2": "#41c99d", "s3": "#e48fc6", "s4": "#d9c44b", "s5": "#b9bfc6",
}  # fmt: skip
PAPER, INK, MUTED, RULE, *COLOURS = LIGHT.values()
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
HIDDEN = ("MPLBACKEND", "SOURCE_DATE_EPOCH")
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
DASHES = (
    (),
    (7, 3),
    (2, 2.5),
    (9, 3, 2, 3),
    (4, 1.5),
)  # SVG units; a dash and a colour repeat after 30 series
SHAPES = ("o", "s", "^", "D")
STYLE: dict[Any, Any] = {  # matplotlib types its keys one by one
    "axes.axisbelow": True, "axes.edgecolor": MUTED, "axes.facecolor": "none", "axes.grid": True,
    "axes.formatter.useoffset": False, "axes.labelcolor": MUTED, "axes.linewidth": 0.8,
    "axes.spines.right": False, "axes.spines.top": False, "figure.facecolor": "none", "font.size": 12,
    "grid.color": RULE, "grid.linewidth": 0.8, "hatch.color": MUTED, "hatch.linewidth": 0.5,
    "lines.linewidth": 1.8, "lines.markersize": 7, "lines.scale_dashes": False, "svg.fonttype": "none",
    "svg.hashsalt": "dcgan-edge", "text.color": INK, "xtick.color": MUTED, "ytick.color": MUTED,
}  # fmt: skip


@dataclass(frozen=True)
class Canvas:
    """Size of a drawing in SVG units. `margins` (left, right, bottom, top) fix where the axes are, so that
    drawings line up; None leaves as much room as the labels take.
    """

    width: float = WIDTH
    height: float = HEIGHT
    margins: tuple[float, float, float, float] | None = None


CHART = Canvas()


@dataclass(frozen=True)
class Svg:
    """A drawing as the text of an SVG file, its size in SVG units, and in words what the eye would see."""

    text: str
    width: float
    height: float
    description: str

    @property
    def uri(self) -> str:
        """The drawing as a data URI, for the `src` of an image."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.text.encode()).decode()


def draw(description: str, plot: Callable[[Axes], None], canvas: Canvas = CHART) -> Svg:
    """Let `plot` draw on empty axes, and return the drawing. Equal plots give equal text.

    `description` is what a screen reader says. The user's matplotlib settings and backend play no part.
    """
    buffer = io.StringIO()
    with _hidden_environment():
        import matplotlib
        from matplotlib.figure import Figure

        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update({**STYLE, "figure.constrained_layout.use": canvas.margins is None})
            figure = Figure(figsize=(canvas.width / 72, canvas.height / 72))  # 72 SVG units make an inch
            if canvas.margins:
                figure.subplots_adjust(**_shares(canvas.width, canvas.height, *canvas.margins))
            plot(figure.subplots())
            figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    text = buffer.getvalue().replace("</defs>", f"<style>{_style_sheet()}</style></defs>", 1)
    return Svg(text, canvas.width, canvas.height, description)


@contextlib.contextmanager
def _hidden_environment() -> Iterator[None]:
    """Hide the variables that matplotlib reads, and may not understand: $MPLBACKEND may name a notebook's
    backend that is not installed here, $SOURCE_DATE_EPOCH may be no number.
    """
    first = "matplotlib" not in sys.modules
    hidden = {name: os.environ.pop(name) for name in HIDDEN if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
    if first and "MPLBACKEND" in hidden:
        import matplotlib

        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = hidden["MPLBACKEND"]  # for the user's own drawings


def _style_sheet() -> str:
    """Return the page's font and, for dark screens, each dark colour in place of its light one."""
    dark = (
        f'[style*="{use}: {LIGHT[name]}"] {{{use}: {DARK[name]} !important}}'
        for name in LIGHT
        for use in ("fill", "stroke")
    )
    return (
        f"text {{font-family: {FONT} !important; font-variant-numeric: tabular-nums}} "
        f"@media screen and (prefers-color-scheme: dark) {{{' '.join(dark)}}}"
    )


def stroke(index: int) -> dict[str, Any]:
    """matplotlib's keywords for the line of series `index`."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": (0, dash(index) or None)}


def marker(index: int, *, hollow: bool = False) -> dict[str, Any]:
    """matplotlib's keywords for a point of series `index`."""
    colour = COLOURS[index % len(COLOURS)]
    face = PAPER if hollow else colour
    return {
        "color": colour, "linestyle": "none", "marker": shape(index), "markerfacecolor": face, "zorder": 3,
        "markeredgewidth": 1.5,
    }  # fmt: skip


def dash(index: int) -> tuple[float, ...]:
    """Strokes and gaps of series `index` in SVG units, none for a whole line."""
    return DASHES[index % len(DASHES)]


def shape(index: int) -> str:
    """matplotlib's name of the marker of series `index`."""
    return SHAPES[index % len(SHAPES)]


def _shares(
    width: float, height: float, left: float, right: float, bottom: float, top: float
) -> dict[str, float]:
    """Margins in SVG units as matplotlib wants them."""
    return {
        "left": left / width, "right": 1 - right / width, "bottom": bottom / height, "top": 1 - top / height,
    }  # fmt: skip
