"""Figures of plotly in headless Chromium: without a network, from a page and from a kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
import torch

from equivlab import plots
from tests.widgets.chromium import BROWSER, IN_BROWSER, exported_page
from tests.widgets.live_page import live

pytest.importorskip("plotly")
pytestmark = IN_BROWSER
SOURCES = (
    "from equivlab import plots\nplots.plot_harmonics(1, interactive=True)",
    "plots.plot_runs({'loss': {'P4': [2, 1]}}, equivariant=['P4'], interactive=True)",
)
PAINTED = "(n) => document.querySelectorAll('.equivlab-plotly[data-painted]').length === n"
EYE = """() => {
  const { x, y, z } = document.querySelector(".equivlab-plotly")._fullLayout.scene.camera.eye;
  return [x, y, z];
}"""
INK = """(n) => document.querySelectorAll(".equivlab-plotly")[n].layout.font.color"""


@contextmanager
def opened(address: str, figures: int) -> Iterator[Any]:
    """A page with so many figures, which asks no network and complains of nothing."""
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    said: list[str] = []
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=arguments)
        page = chromium.new_page(viewport={"width": 900, "height": 1400})
        page.set_default_timeout(120_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
        page.goto(address)
        page.wait_for_function(PAINTED, arg=figures)
        yield page
        chromium.close()
    own = f"{urlsplit(address).scheme}://{urlsplit(address).netloc}/"
    foreign = [one for one in asked if not one.startswith((own, "blob:", "data:"))]
    assert (foreign, said) == ([], [])


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in SOURCES]
    return exported_page(cells, tmp_path_factory.mktemp("page"))


def test_an_exported_page_holds_plotly_once_and_turns_by_keys(page_file: Path) -> None:
    text = page_file.read_text("utf-8")
    assert text.count('id="equivlab-plotly"') == 1
    assert len(text) < 4_000_000
    with opened(page_file.as_uri(), 2) as page:
        assert max(_ink(page)) < 100
        before = page.evaluate(EYE)
        box = page.locator(".equivlab-plotly").first
        assert box.get_attribute("aria-label").startswith("Spherical harmonics up to degree 1")
        box.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"(eye) => String(({EYE})()) !== eye", arg=_text(before))
        after = page.evaluate(EYE)
        assert after[2] == pytest.approx(before[2])
        assert after[1] > before[1]
        page.keyboard.press("r")
        page.wait_for_function(f"(eye) => String(({EYE})()) === eye", arg=_text(before))
        line = page.locator(".equivlab-plotly").nth(1)
        area = line.locator(".nsewdrag").bounding_box()
        page.mouse.move(area["x"] + 4, area["y"] + area["height"] / 2)
        line.locator(".hoverlayer text").first.wait_for()
        # Of the first epoch the loss, 2.
        assert (line.locator(".hoverlayer").text_content() or "").replace("P4", "")[:2] == "12"


def test_the_dark_page_has_light_words(page_file: Path) -> None:
    with opened(page_file.with_name("dark.html").as_uri(), 2) as page:
        assert min(_ink(page)) > 150


def test_views_fetch_plotly_once_and_turn_as_one() -> None:
    triangle = torch.eye(3)
    figure: Any = plots.plot_points(triangle, interactive=True)
    with live(figure) as address, opened(f"{address}light?2", 2) as page:
        assert page.evaluate("() => window.asked") == 1
        page.evaluate("() => window.model.set('eye', [0, 2, 0.5])")
        page.wait_for_function(f"() => String(({EYE})()) === '0,2,0.5'")


def _ink(page: Any) -> list[int]:
    """Red, green and blue of the words of a flat figure."""
    return [int(part) for part in re.findall(r"\d+", page.evaluate(INK, 1))[:3]]


def _text(eye: list[float]) -> str:
    return ",".join(map(_number, eye))


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
