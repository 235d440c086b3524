"""How the report draws: matplotlib with sentinel colours, made into SVG that a page can hold inline.

The sentinels become CSS variables of the page, so that a chart follows its light or dark colours; text stays
text, in the page's font; ids are prefixed, so that many drawings fit into one page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
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
MARKERS = {  # matplotlib's name: the same shape as a path around (14, 6)
    "o": "M10.5 6a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "s": "M11 3h6v6h-6z",
    "^": "M14 2l4 7.5h-8z",
    "D": "M14 1.5l4.5 4.5-4.5 4.5-4.5-4.5z",
}
STYLE: dict[Any, Any] = {  # matplotlib types its keys one by one
    "axes.edgecolor": MUTED, "axes.facecolor": "none", "axes.formatter.useoffset": False, "axes.grid": True,
    "axes.labelcolor": MUTED, "axes.linewidth": 0.8, "axes.spines.right": False, "axes.spines.top": False,
    "figure.constrained_layout.use": True, "figure.facecolor": "none", "font.size": 12, "grid.color": RULE,
    "grid.linewidth": 0.8, "lines.linewidth": 1.8, "lines.markersize": 7, "lines.scale_dashes": False,
    "svg.fonttype": "none", "svg.hashsalt": "dcgan-edge", "text.color": INK, "xtick.color": MUTED,
    "ytick.color": MUTED,
}  # fmt: skip


def draw(name: str, title: str, description: str, plot: Callable[[Axes], None]) -> str:
    """Let `plot` draw on empty axes; return the `<svg>` element. `name` is unique in the page, an XML name.

    `title` and `description` are what a screen reader says. The reader's matplotlib settings play no part.
    """
    import matplotlib
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))  # 72 SVG units make an inch
        plot(figure.subplots())
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _inline(buffer.getvalue(), name, title, description)


def stroke(index: int) -> dict[str, Any]:
    """matplotlib's keywords for the line of series `index`."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": (0, _dash(index) or None)}


def marker(index: int, *, hollow: bool = False) -> dict[str, Any]:
    """matplotlib's keywords for a point of series `index`."""
    colour = COLOURS[index % len(COLOURS)]
    face = PAPER if hollow else colour
    return {
        "color": colour, "linestyle": "none", "marker": _shape(index), "markerfacecolor": face, "zorder": 3,
        "markeredgewidth": 1.5,
    }  # fmt: skip


def key(index: int, *, marked: bool) -> str:
    """A legend's sample of series `index`: its colour and dash and, if `marked`, its marker, as SVG."""
    colour = f"var(--{VARIABLES[COLOURS[index % len(COLOURS)]]})"
    dashes = " ".join(f"{length:g}" for length in _dash(index)) or "none"
    line = f"stroke: {colour}; stroke-width: 2; stroke-dasharray: {dashes}"
    shape = f'<path d="{MARKERS[_shape(index)]}" style="fill: {colour}"/>' if marked else ""
    return (
        '<svg class="key" viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">'
        f'<path d="M0 6h28" style="{line}"/>{shape}</svg>'
    )


def _dash(index: int) -> tuple[float, ...]:
    return DASHES[index % len(DASHES)]


def _shape(index: int) -> str:
    return list(MARKERS)[index % len(MARKERS)]


def _inline(svg: bytes, name: str, title: str, description: str) -> str:
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
        "class": "chart", "viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "aria-label": title,
        "aria-describedby": f"{name}-desc",
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
