"""How the report draws: matplotlib with sentinel colours, made into SVG that a page can hold inline.

The sentinels become CSS variables of the page, so that a chart follows its light or dark colours; text stays
text, in the page's font; ids are prefixed, so that many drawings fit into one page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 400, 264  # SVG units; text of 12 of them is still read when a phone shows 340 pixels
VARIABLES = {"#fd0001": "ink", "#fd0002": "muted", "#fd0003": "rule", "#fd0004": "paper"} | {
    f"#fe000{index}": f"s{index}" for index in range(6)
}
INK, MUTED, RULE, PAPER, *COLOURS = VARIABLES
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


def draw(
    name: str, title: str, description: str, plot: Callable[[Axes], None], canvas: Canvas = CHART
) -> str:
    """Let `plot` draw on empty axes; return the `<svg>` element. `name` is unique in the page, an XML name.

    `title` and `description` are what a screen reader says. The reader's matplotlib settings play no part.
    """
    import matplotlib
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**STYLE, "figure.constrained_layout.use": canvas.margins is None})
        figure = Figure(figsize=(canvas.width / 72, canvas.height / 72))  # 72 SVG units make an inch
        if canvas.margins:
            figure.subplots_adjust(**_shares(canvas.width, canvas.height, *canvas.margins))
        plot(figure.subplots())
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _inline(buffer.getvalue(), name, title, description, canvas)


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


def _inline(svg: bytes, name: str, title: str, description: str, canvas: Canvas) -> str:
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):  # the style sheet would reach the whole page, the metadata name web sites
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    referenced = {match for element in root.iter() for match in _references(element)}
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {
            attribute.rpartition("}")[2]: _mended(value, name)
            for attribute, value in element.attrib.items()
            if attribute != "id" or value in referenced
        }
        if "id" in element.attrib:
            element.attrib["id"] = f"{name}-{element.attrib['id']}"
    text = ElementTree.Element("desc", {"id": f"{name}-desc"})
    text.text = description
    root.insert(0, text)
    root.attrib = {
        "class": "chart", "viewBox": f"0 0 {canvas.width:g} {canvas.height:g}", "role": "img",
        "aria-label": title, "aria-describedby": f"{name}-desc",
    }  # fmt: skip
    return ElementTree.tostring(root, encoding="unicode")


def _references(element: ElementTree.Element) -> list[str]:
    return [match for value in element.attrib.values() for match in re.findall(r"#([A-Za-z][\w.-]*)", value)]


def _mended(value: str, name: str) -> str:
    """An attribute's value with the page's colours and font, prefixed references and two decimals."""
    value = re.sub(r"font-family:[^;]*;?", "", value)
    value = re.sub(r"#f[de]000\d", lambda match: f"var(--{VARIABLES[match[0]]})", value)
    value = re.sub(r"(^|url\()#", rf"\1#{name}-", value)
    value = re.sub(r"-?\d+\.\d{3,}", lambda match: f"{round(float(match[0]), 2):g}", value)
    return " ".join(value.split())
