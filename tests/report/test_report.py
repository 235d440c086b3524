from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.files import write_atomic
from dcgan_edge.images import encode_png
from dcgan_edge.report import ReportContent, render, worst_seed
from tests.html_page import Page
from tests.report_pieces import (
    ENERGY,
    NASTY,
    ROOFLINE,
    bench_report,
    measurement,
    parity,
    png,
    telemetry,
    whole_content,
)

SECTIONS: dict[str, dict[str, Any]] = {  # by their ids: what has to go for them to go
    "samples": {"samples": None},
    "notes": {"notes": ()},
    "training": {"metrics": ()},
    "grids": {"grids": ()},
    "artifacts": {"artifacts": ()},
    "parity": {"parity": {}},
    "worst": {"worst_seeds": ()},
    "benchmark": {"runs": {}},
    "timeline": {"runs": {}},
    "energy": {"runs": {}},
    "roofline": {"runs": {}},
    "environment": {"runs": {}},
    "commands": {"commands": ()},
}
OF_RUNS = {name for name, change in SECTIONS.items() if "runs" in change}


@pytest.fixture(scope="module")
def html() -> str:
    return render(whole_content())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_a_whole_content_has_every_section_and_a_link_to_it(page: Page) -> None:
    assert set(SECTIONS) <= set(page.ids())
    links = {attributes["href"] for attributes in page.all("a")}
    assert links == {f"#{name}" for name in SECTIONS if name != "samples"}


@pytest.mark.parametrize("section", sorted(SECTIONS.keys() - OF_RUNS | {"benchmark"}))
def test_what_is_not_given_has_no_section_and_no_link(section: str) -> None:
    quick: dict[str, Any] = {"metrics": (), "runs": {}}  # charts take most of the time, and `html` has them
    page = Page(render(whole_content(**(quick | SECTIONS[section]))))
    others = {name for name in SECTIONS if name not in (section, "training", *OF_RUNS)}
    assert others <= set(page.ids())
    gone = {section, *OF_RUNS}
    assert not gone & set(page.ids())
    assert not {f"#{name}" for name in gone} & {attributes["href"] for attributes in page.all("a")}


def test_a_title_is_enough() -> None:
    page = Page(render(ReportContent("Nothing yet")))
    assert page.all("section") == page.all("svg") == page.all("img") == []
    assert "Nothing yet" in page.text


def test_ids_are_unique_and_every_reference_leads_to_one(page: Page) -> None:
    assert len(page.ids()) == len(set(page.ids()))
    ids = set(page.ids())
    for _, attributes in page.elements:
        named = [attributes.get("aria-labelledby"), attributes.get("aria-describedby")]
        pointed = [value[1:] for value in (attributes.get("href"),) if value and value.startswith("#")]
        assert set(filter(None, named)) | set(pointed) <= ids
        for target in re.findall(r"url\(#([^)]+)\)", " ".join(filter(None, attributes.values()))):
            assert target in ids


def test_the_page_needs_no_network_and_no_script(html: str, page: Page) -> None:
    assert not re.search(r"(https?|ftp|file):|//[a-z]|@import|<script", html)
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        source = attributes.get("src")
        assert source is None or source.startswith(("data:image/png;base64,", "data:image/svg+xml;base64,"))
    assert "default-src 'none'" in html


def test_every_string_is_text_and_never_markup_or_a_template() -> None:
    taken = measurement(
        NASTY,
        session={"backend": NASTY, "version": NASTY, NASTY: {NASTY: [NASTY]}},
        reasons=(NASTY,),
        scenario=NASTY,
        energy=ENERGY | {"scope": NASTY, "notes": [NASTY]},
        roofline=ROOFLINE | {"bound": NASTY, "notes": [NASTY], "peaks": ROOFLINE["peaks"] | {"name": NASTY}},
    )
    beside = telemetry({"power/x": [1.0, 2.0]}, not_readable=[NASTY], facts={NASTY: {NASTY: NASTY}})
    beside["series"][0]["name"] = f"power/{NASTY}"
    content = whole_content(
        title=NASTY,
        metrics=(),
        grids=[(NASTY, png())],
        artifacts=[(NASTY, replace(whole_content().artifacts[1][1], builder=NASTY, targets=(NASTY,)))],
        parity={NASTY: parity(0.5)},
        worst_seeds=[replace(whole_content().worst_seeds[0], name=NASTY)],
        runs={NASTY: bench_report(taken, telemetry=beside, machine={NASTY: NASTY}, versions={NASTY: NASTY})},
        commands=[NASTY],
        notes=[NASTY],
    )
    html = render(content)
    page = Page(html)
    assert "<script" not in html
    assert page.all("script") == []
    assert page.text.count("{{ 7 * 7 }}") >= 25
    assert len(page.ids()) == len(set(page.ids()))


def test_figures_and_verdicts_are_said_in_words(page: Page) -> None:
    text = " ".join(page.text.split())
    for words in (
        "✓ passed", "1 of 1 artifacts", "✓ stable", "not run: no GPU of a target on this machine",
        "sm86, sm89", "The engine has not run on hardware.", "2.00\N{MULTIPLICATION SIGN}",
        "dcgan-edge demo --out demo", "1.000\N{EN DASH}1.010", "5.00 \N{DOUBLE DAGGER}", "it was short",
        "Not measured: nothing measures power", "10.0\N{MULTIPLICATION SIGN} \N{DOUBLE DAGGER}", "a remark",
        "from the data sheet", "Throttling stayed at 0: gpu.", "VDD_IN, limit 15",
        "Not recorded: cpu clock: not readable, because there is none.",
    ):  # fmt: skip
        assert words in text


def test_a_failure_and_an_unstable_figure_are_told_without_colour(page: Page) -> None:
    text = " ".join(Page(render(ReportContent("x", parity={"g.onnx": parity(0.5)}))).text.split())
    assert "✗ FAILED seed 5 has 12.0 dB" in text
    assert "✗ 0 of 1" in text
    assert "✗ UNSTABLE the clock moved" in page.text.replace("\n", " ").replace("  ", " ")


def test_hashes_are_short_with_the_whole_at_hand_and_parents_are_named(html: str) -> None:
    (_, checkpoint), (_, onnx), _ = whole_content().artifacts
    assert f'<code title="{onnx.sha256}">{onnx.sha256[:12]}</code>' in html
    made_from = html.index(f'<code title="{checkpoint.sha256}">', html.index("g.<wbr>onnx"))
    assert "checkpoint" in html[made_from : made_from + 200]


def test_pictures_are_the_very_files_with_whole_pixels_and_words(page: Page) -> None:
    images = [image for image in page.all("img") if image.get("class") != "chart"]
    assert len(images) == 1 + 2 + 3  # samples, grids, the worst seed
    assert all(image["alt"] for image in images)
    assert base64.b64decode(str(images[0]["src"]).partition(",")[2]) == png(3)
    assert images[0]["width"] == images[0]["height"] == "440"  # 55 times 8 pixels


def test_charts_are_drawings_with_a_name_and_a_description(page: Page) -> None:
    titles = [
        "Loss", "Training speed", "Latency, batch 1", "Latency, batch 16", "Throughput by batch",
        "Latency of each call", "Power", "Arithmetic attained",
    ]  # fmt: skip
    for title, chart in zip(titles, page.charts(), strict=True):
        said = str(chart["alt"])
        assert said.startswith(title)
        assert re.search(r"\d", said)  # the description says figures
    assert all(attributes.get("scope") for attributes in page.all("th"))


def test_both_colour_schemes_are_readable(html: str) -> None:
    """WCAG 2.2: 4.5 for text, 3 for lines and marks of a chart."""
    light, dark = (
        dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", html, re.DOTALL)
    )
    assert light.keys() == dark.keys() >= set(re.findall(r"var\(--([a-z0-9]+)\)", html))
    for colours in (light, dark):
        for name in ("ink", "muted", "accent", "good", "bad"):
            assert min(_contrast(colours[name], colours[ground]) for ground in ("paper", "panel")) >= 4.5
        for name in (name for name in colours if re.fullmatch(r"s\d", name)):
            assert _contrast(colours[name], colours["paper"]) >= 3


def test_a_long_run_stays_below_two_megabytes() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 260, 260), np.uint8)
    picture = encode_png(noise)  # 200 kB: noise cannot be compressed
    lines = [
        {"step": n, "loss_d": n % 7, "loss_g": n % 5, "images_per_second": n % 11} for n in range(20_000)
    ]
    measured = [measurement(f"{n}.onnx", batch, calls=20_000) for batch in (1, 16) for n in range(2)]
    content = whole_content(
        metrics=lines,
        samples=picture,
        grids=[(f"{n}", picture) for n in range(40)],
        runs={"long": bench_report(*measured)},
    )
    html = render(content)
    assert len(html.encode()) < 2_000_000
    assert "3 of 40 pictures" in html


def test_importing_the_report_loads_no_library_for_drawing() -> None:
    code = "import sys, dcgan_edge.report; print(*{'jinja2', 'matplotlib', 'torch'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


@pytest.mark.parametrize("library", ["jinja2", "matplotlib"])
def test_a_missing_library_is_named_with_its_remedy(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # Python's own way to make an import fail
    with pytest.raises(UnavailableError, match=rf"{library}.*pip install 'dcgan-edge\[report\]'"):
        render(ReportContent("x"))


def test_an_image_that_is_not_a_png_is_refused() -> None:
    with pytest.raises(EdgeError, match="not a PNG"):
        render(ReportContent("x", samples=b"GIF89a" + bytes(100)))


def test_the_same_content_gives_the_same_file(tmp_path: Path, html: str) -> None:
    path = tmp_path / "new" / "report.html"
    write_atomic(path, render(whole_content()).encode())
    assert path.read_text(encoding="utf-8") == html


@pytest.mark.parametrize(
    ("error", "amplification"), [(0.0, 1), (2.0, 1), (0.9, 2), (0.0015, 1000), (1e-6, 1_000_000)]
)
def test_the_difference_is_amplified_as_far_as_it_fits(error: float, amplification: int) -> None:
    reference = np.full((1, 4, 4), -1.0, np.float32)
    candidate = reference.copy()
    candidate[0, 1, 2] += np.float32(error)
    worst = worst_seed("x", 7, reference, candidate)
    exact = float(candidate[0, 1, 2]) + 1.0  # what float32 made of the error
    assert worst.amplification == amplification
    shown = np.asarray(Image.open(io.BytesIO(worst.difference)))
    assert shown[1, 2] == pytest.approx(
        exact * amplification / 2.0 * 255, abs=0.6
    )  # half a level, and float32
    assert np.count_nonzero(shown) <= 1


def _contrast(one: str, other: str) -> float:
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as WCAG defines it."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
