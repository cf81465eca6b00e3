"""RotateImage in headless Chromium: an exported page, without a kernel and without a network."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from tests.widgets.chromium import IN_BROWSER, exported_page

pytestmark = IN_BROWSER
SOURCE = """
from equivlab.data import sky_images
from equivlab.groups import P4M
from equivlab.models import smooth_network
from equivlab.widgets import RotateImage
RotateImage(smooth_network(P4M), sky_images(2, size=32), compare=smooth_network(None))
"""
CANVAS = ".equivlab-rotate > canvas"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook with the widget, run and exported to one HTML file."""
    cells = [
        nbformat.v4.new_markdown_cell("# A page"),
        nbformat.v4.new_code_cell(SOURCE),
        nbformat.v4.new_code_cell("1 + 1"),
    ]
    return exported_page(cells, tmp_path_factory.mktemp("page"))


class Open:
    """The page in a browser, and what a reader can do with it."""

    def __init__(self, page: object, complaints: list[str]) -> None:
        self.page = page
        self.complaints = complaints
        self.canvas = page.locator(CANVAS)

    def settle(self) -> None:
        """Wait until what was asked for has been painted."""
        self.page.evaluate(
            "() => new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)))"
        )

    def look(self) -> np.ndarray:
        self.settle()
        return np.asarray(Image.open(io.BytesIO(self.canvas.screenshot())).convert("RGB")) / 255

    @property
    def angle(self) -> int:
        self.settle()
        return int(self.canvas.get_attribute("aria-valuenow"))

    def press(self, key: str) -> None:
        self.canvas.focus()
        self.page.keyboard.press(key)

    def drag(self, degrees: int, steps: int = 12) -> None:
        """Take the handle, which stands to the right, round by an angle."""
        box = self.canvas.bounding_box()
        x, y, radius = box["x"] + 110, box["y"] + 125, 70
        self.page.mouse.move(x + radius, y)
        self.page.mouse.down()
        for n in range(1, steps + 1):
            a = np.deg2rad(degrees * n / steps)
            self.page.mouse.move(x + radius * np.cos(a), y - radius * np.sin(a))
        self.page.mouse.up()


@pytest.fixture
def opened(browser: object, page_file: Path) -> Iterator[Callable[..., Open]]:
    pages = []

    def open_page(width: int = 1100, **options: object) -> Open:
        page = browser.new_page(viewport={"width": width, "height": 1000}, offline=True, **options)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        page.on("requestfailed", lambda request: complaints.append(request.url[:100]))
        page.goto(page_file.as_uri())
        page.wait_for_selector(f"{CANVAS}[data-painted]")
        pages.append(page)
        return Open(page, complaints)

    yield open_page
    for page in pages:
        page.close()


def test_it_turns_offline_and_says_nothing(opened: Callable[..., Open]) -> None:
    view = opened()
    at_rest = view.look()
    view.drag(90)
    assert view.angle == 90
    assert np.abs(view.look() - at_rest).max() > 0.3
    view.press("r")
    assert view.angle == 0
    assert view.complaints == []


def test_keys(opened: Callable[..., Open]) -> None:
    view = opened()
    view.press("r")  # the focus ring belongs to the picture from here on
    at_rest = view.look()
    view.press("ArrowRight")
    assert view.angle == 5
    assert np.abs(view.look() - at_rest).max() > 0.3
    view.press("ArrowLeft")
    view.press("ArrowLeft")
    assert view.angle == 355
    view.press("Home")
    view.press("Shift+ArrowRight")
    assert view.angle == 90
    view.press("m")
    view.settle()
    assert view.canvas.get_attribute("aria-valuetext") == "90°, mirrored"
    view.press("r")
    view.settle()
    assert view.canvas.get_attribute("aria-valuetext") == "0°"
    assert np.abs(view.look() - at_rest).max() == 0


def test_the_stabilised_maps_stand_still_at_quarter_turns(opened: Callable[..., Open]) -> None:
    """To a level or two of 256, while the maps as they come out change and permute."""
    view = opened()
    view.page.evaluate("() => document.activeElement.blur()")
    blocks = json.loads(view.canvas.get_attribute("data-blocks"))
    out, still, plain = (blocks[name] for name in ("out", "stabilised", "compare"))

    def cut(box: list[float]) -> np.ndarray:
        picture = view.look()
        x, y, width, height = (round(value) for value in box)
        return picture[y : y + height, x : x + width]

    first = [cut(box) for box in (out, still, plain)]
    for key in ("Shift+ArrowRight", "m", "Shift+ArrowRight"):
        view.press(key)
        now = [cut(box) for box in (out, still, plain)]
        assert np.abs(now[0] - first[0]).max() > 0.3
        # Turning a picture on the canvas by itself may soften its pixels' edges a little.
        assert np.abs(now[1] - first[1]).mean() < 0.004
        assert np.abs(now[2] - first[2]).mean() > 0.01


def test_slider_pictures_and_buttons(opened: Callable[..., Open]) -> None:
    view = opened()
    at_rest = view.look()
    view.page.locator(".equivlab-rotate input[type=range]").fill("180")
    assert view.angle == 180
    view.page.get_by_role("button", name="Image 2").click()
    second = view.look()
    view.page.get_by_role("button", name="Reset").click()
    assert view.angle == 0
    assert np.abs(view.look() - at_rest).max() > 0.3
    assert np.abs(second - view.look()).max() > 0.3
    view.page.get_by_role("button", name="Mirror").click()
    view.settle()
    assert view.page.get_by_role("button", name="Mirror").get_attribute("aria-pressed") == "true"
    with view.page.expect_download() as download:
        view.page.get_by_role("button", name="PNG").click()
    saved = Image.open(download.value.path())
    assert saved.size[0] > 600
    assert view.complaints == []


def test_every_paint_is_of_the_latest_angle(opened: Callable[..., Open]) -> None:
    """Nothing is queued: after a burst of moves one or two paints bring the last angle."""
    view = opened()
    view.settle()
    painted = "() => Number(document.querySelector('.equivlab-rotate > canvas').dataset.painted)"
    burst = """() => {
      const slider = document.querySelector('.equivlab-rotate input[type=range]');
      for (let angle = 5; angle <= 300; angle += 5) {
        slider.value = angle;
        slider.dispatchEvent(new Event('input'));
      }
    }"""
    before = view.page.evaluate(painted)
    view.page.evaluate(burst)
    assert view.angle == 300
    assert view.page.evaluate(painted) - before <= 2


@pytest.mark.parametrize("width", [420, 700, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(opened: Callable[..., Open], width: int, scheme: str) -> None:
    view = opened(width, color_scheme=scheme)
    box = view.canvas.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    picture = view.look()
    edge = np.concatenate([picture[:3].reshape(-1, 3), picture[-3:].reshape(-1, 3)])
    assert np.ptp(edge, axis=0).max() < 0.1  # no ink runs into the frame
    assert view.complaints == []
