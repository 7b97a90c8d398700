"""The report in a real browser: no complaint on the console, nothing cut off, and its few controls work."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from epochal.report.page import render
from report.browser import Browser, program
from report.other_results import METRICS
from report.other_tasks import run_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this file."""
    found = program()
    if found is None:
        pytest.skip("no Chromium on this machine; install the package chromium to look at the report")
    with Browser(found) as opened:
        yield opened


@pytest.fixture(scope="module")
def report(document: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as a file."""
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(document, encoding="utf-8")
    return file


def pixels(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, from its header."""
    width, height = struct.unpack(">II", io.BytesIO(png).read(24)[16:])
    return width, height


OUTSIDE = """[...document.querySelectorAll(".plot text")].filter(text => {
    const box = text.getBoundingClientRect();
    return box.width && (box.left < 0 || box.right > innerWidth);
}).map(text => text.textContent)"""
PLOT = """(() => {
    const plot = document.querySelector(".plot");
    plot.scrollIntoView({ block: "center", behavior: "instant" });
    const box = plot.getBoundingClientRect();
    return [box.left, box.top, box.width, box.height];
})()"""
ARROW = """(() => {
    const plot = document.querySelector(".plot");
    plot.focus();
    plot.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
})()"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 800, 400])
def test_nothing_is_complained_about_and_nothing_is_cut_off(
    browser: Browser, report: Path, width: int, theme: str, tmp_path: Path
) -> None:
    """No console error, no page wider than its window, and no text of a chart outside it, in both themes."""
    browser.open(report, width=width, dark=theme == "dark")
    assert browser.complaints == []
    assert browser.tell("document.documentElement.scrollWidth") <= width
    assert browser.tell(OUTSIDE) == []
    shot = browser.screenshot()
    (tmp_path / "report.png").write_bytes(shot)
    assert pixels(shot)[0] == width
    assert pixels(shot)[1] > 3000


@pytest.mark.parametrize("task", METRICS)
def test_every_task_fits_and_can_be_read(browser: Browser, task: str, tmp_path: Path) -> None:
    """Reports of the other tasks: no complaint, nothing cut off at any width, enough contrast in both themes."""
    file = tmp_path / "report.html"
    file.write_text(render(run_of(task)), encoding="utf-8")
    script = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
    for width, dark in ((1400, False), (800, True), (400, False), (400, True)):
        browser.open(file, width=width, dark=dark)
        assert browser.complaints == []
        assert browser.tell("document.documentElement.scrollWidth") <= width
        assert browser.tell(OUTSIDE) == []
        assert browser.tell(script) == []


def test_a_complaint_would_be_heard(browser: Browser, tmp_path: Path) -> None:
    """The collector of this file hears console errors, exceptions and forbidden loads."""
    noisy = tmp_path / "noisy.html"
    policy = '<meta http-equiv="Content-Security-Policy" content="img-src data:">'
    noisy.write_text(
        f"{policy}<script>console.error('one'); null.two</script><img src='https://example.invalid/three.png'>"
    )
    browser.open(noisy)
    kinds = {complaint.split(":")[0] for complaint in browser.complaints}
    browser.complaints.clear()
    assert kinds == {"console", "exception", "log"}


def test_the_theme_can_be_switched(browser: Browser, report: Path) -> None:
    """The button turns dark into light and back, and says what it will do next."""
    browser.open(report, dark=True)
    browser.tell("localStorage.clear(); delete document.documentElement.dataset.theme")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = browser.tell(paper)
    browser.tell("document.querySelector('.theme').click()")
    light = browser.tell(paper)
    assert dark != light
    assert browser.tell("document.querySelector('.theme').textContent.trim()") == "Dark"
    browser.tell("document.querySelector('.theme').click()")
    assert browser.tell(paper) == dark
    browser.tell("localStorage.clear()")


def test_a_table_can_be_sorted(browser: Browser, report: Path) -> None:
    """One click on a number puts the largest first, a second one the smallest."""
    browser.open(report)
    click = "[...document.querySelectorAll('.by-class th button')].find(b => b.textContent === 'Recall').click()"
    first = "document.querySelector('.by-class tbody th').textContent"
    browser.tell(click)
    assert browser.tell(first) == "automobile"
    browser.tell(click)
    assert browser.tell(first) == "cat"
    assert browser.tell("document.querySelectorAll('.by-class th[aria-sort]').length") == 1


def test_a_chart_tells_its_values(browser: Browser, report: Path) -> None:
    """The pointer over a chart shows epoch and values of every line; leaving hides them; arrow keys do the same."""
    browser.open(report)
    left, top, width, height = browser.tell(PLOT)
    browser.settle()
    browser.move(left + width / 2, top + height / 2)
    told = browser.tell("document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent")
    assert told.startswith("epoch 1")
    assert "train" in told
    assert "validation" in told
    browser.move(2, 2)
    assert browser.tell("document.getElementById('tip').hidden")
    browser.tell(ARROW)
    assert browser.tell("document.getElementById('tip').textContent").startswith("epoch 1train")


def test_a_chart_can_be_logarithmic(browser: Browser, report: Path) -> None:
    """The button swaps the two drawings and says which one is shown."""
    browser.open(report)
    browser.tell("document.querySelector('.scale').click()")
    shown = "['[data-linear]', '[data-log]'].map(s => document.querySelector('.chart').querySelector(s).hidden)"
    assert browser.tell(shown) == [True, False]
    assert browser.tell("document.querySelector('.scale').getAttribute('aria-pressed')") == "true"


def test_text_can_be_read_in_both_themes(browser: Browser, report: Path) -> None:
    """Text contrasts with its background by 4.5 to 1 or more, as WCAG 2.2, success criterion 1.4.3, asks for."""
    script = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
    for dark in (False, True):
        browser.open(report, dark=dark)
        assert browser.tell(script) == []
