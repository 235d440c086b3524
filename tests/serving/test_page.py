"""The page at `/` in a real browser without a screen: scrolled, by keyboard, on a phone, and with a token."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator

import pytest

from dcgan_edge.serving.page import Page
from tests.serving.browser import Tab, browsing, find_browser
from tests.serving.conftest import Server, server_of

uvicorn = pytest.importorskip("uvicorn", reason="the extra serve is not installed")

BROWSER = find_browser()
needs_browser = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
TOKEN = "0123456789abcdef"
CELLS = "document.querySelectorAll('.cell').length"
FOCUSED = "document.activeElement.getAttribute('aria-label')"
FITS = "document.documentElement.scrollWidth <= innerWidth"


@contextlib.contextmanager
def listening(server: Server) -> Iterator[str]:
    """The address of `server`, which a thread answers at."""
    config = uvicorn.Config(server.app, port=0, lifespan="off", ws="none", log_config=None)
    answering = uvicorn.Server(config)
    thread = threading.Thread(target=answering.run)
    thread.start()
    while not answering.started:
        time.sleep(0.005)
    yield f"http://127.0.0.1:{answering.servers[0].sockets[0].getsockname()[1]}/"
    answering.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    with listening(server) as address:
        yield f"{address}#model=classy"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    assert BROWSER is not None
    with browsing(BROWSER, tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture
def desktop(tab: Tab, url: str) -> Tab:
    tab.size(1200, 800)
    tab.open("about:blank")
    tab.open(url)
    tab.until(f"{CELLS} >= 32 && chosen.latent !== null")
    return tab


def test_the_page_is_one_document_that_asks_nobody_else() -> None:
    made = Page.read()
    assert not re.search(r"https?://|//\w|@import|url\(|\bsrc=|page\.(css|js)", made.html.replace("// ", ""))
    policy = made.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


@needs_browser
def test_it_fills_while_it_is_scrolled(desktop: Tab) -> None:
    before = desktop.value(CELLS)
    desktop.value("scrollTo(0, document.body.scrollHeight)")
    desktop.until(f"{CELLS} > {before}")
    seeds = desktop.value("[...document.querySelectorAll('.cell')].map((cell) => Number(cell.seed))")
    assert seeds == list(range(len(seeds)))
    assert desktop.value("at('latency').textContent").startswith("32 images in ")
    assert desktop.errors == []


@needs_browser
def test_it_draws_the_pixels_that_were_asked_for(desktop: Tab) -> None:
    differ = """fetch('/v1/samples?model=classy&seeds=5&format=png').then((answer) => answer.blob())
        .then(createImageBitmap).then((picture) => {
            const canvas = new OffscreenCanvas(4, 4), pen = canvas.getContext('2d');
            pen.drawImage(picture, 0, 0);
            const shown = document.querySelectorAll('.cell canvas')[5].getContext('2d');
            const [ours, theirs] = [shown, pen].map((each) => each.getImageData(0, 0, 4, 4).data);
            return ours.reduce((sum, value, place) => sum + Math.abs(value - theirs[place]), 0);
        })"""
    assert desktop.value(differ) == 0


@needs_browser
def test_it_is_used_by_keyboard(desktop: Tab) -> None:
    desktop.value("document.querySelector('.cell').focus()")
    desktop.press("ArrowRight", 39)
    assert desktop.value(FOCUSED) == "Seed 1, dog"
    desktop.press("Enter", 13)
    desktop.until("at('detail-title').textContent === 'Seed 1, dog' && chosen.latent !== null")
    desktop.value("document.querySelector('#sliders input').focus()")
    desktop.press("ArrowRight", 39)
    desktop.until("at('detail-title').textContent === 'Seed 1, dog, changed'")
    desktop.until("at('detail-latency').textContent.startsWith('Changed in ')")
    desktop.value("at('reset').click()")
    assert desktop.value("at('detail-title').textContent") == "Seed 1, dog"


@needs_browser
def test_a_class_and_a_seed_are_chosen(desktop: Tab) -> None:
    desktop.value("document.querySelector('#classes label:last-child input').click()")
    desktop.until(f"{CELLS} >= 32 && document.querySelector('.cell').ariaLabel === 'Seed 0, eel'")
    for seed, shown in (("18446744073709551616", False), ("-1", False), ("18446744073709551600", True)):
        desktop.value(f"at('seed').value = '{seed}'; at('controls').dispatchEvent(new Event('submit'))")
        assert desktop.value("at('seed-problem').hidden") is shown
    desktop.until(f"{CELLS} === 16")
    last = desktop.value("document.querySelector('.cell:last-child').ariaLabel")
    assert last == "Seed 18446744073709551615, eel"
    assert desktop.value("location.hash").endswith("seed=18446744073709551600&class=2")


@needs_browser
def test_everything_that_is_used_has_a_name(desktop: Tab) -> None:
    nodes = desktop.call("Accessibility.getFullAXTree")["nodes"]
    used = [
        node
        for node in nodes
        if node.get("role", {}).get("value") in ("button", "slider", "textbox", "radio", "option", "combobox")
    ]
    assert len(used) > 40
    assert [node for node in used if not node.get("name", {}).get("value")] == []


@needs_browser
def test_it_fits_on_a_phone(tab: Tab, url: str) -> None:
    tab.size(360, 640, mobile=True, dark=True)
    tab.open("about:blank")
    tab.open(url)
    tab.until(f"{CELLS} >= 32")
    assert tab.value(FITS)
    assert tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    tab.value("document.querySelector('.cell').click()")
    tab.until("at('detail').matches(':modal') && chosen.latent !== null")
    box = tab.value("(({left, right, top, bottom}) => [left, right, top, bottom])"
                    "(at('detail').getBoundingClientRect())")  # fmt: skip
    assert box[0] >= 0
    assert box[1] <= 360
    assert box[2] >= 0
    assert box[3] <= 640
    tab.value("at('close').click()")
    tab.until("document.activeElement === document.querySelector('.cell')")
    assert tab.errors == []


@needs_browser
def test_it_asks_for_the_token(tab: Tab) -> None:
    from tests.doubles import ArithmeticSession

    made = server_of({"one": ArithmeticSession}, token=TOKEN)
    with listening(made) as address:
        tab.size(1200, 800)
        tab.open(address)
        for token, problem in (("wrong", True), (TOKEN, False)):
            tab.until("at('login').open")
            tab.value(f"at('token').value = '{token}'; document.querySelector('#login button').click()")
            tab.until(f"at('login').open && !at('login-problem').hidden === {str(problem).lower()} "
                      f"|| {CELLS} >= 32")  # fmt: skip
        tab.until(f"{CELLS} >= 32")
        assert not tab.value("document.documentElement.outerHTML").count(TOKEN)
        tab.open("about:blank")
    tab.errors.clear()
    made.service.close()
