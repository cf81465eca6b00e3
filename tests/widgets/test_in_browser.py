"""RotateImage in headless Chromium: an exported page, without a kernel and without a network."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from tests.widgets.chromium import IN_BROWSER
from tests.widgets.turning_page import TurningPage

pytestmark = IN_BROWSER
SOURCE = """
from equivlab.data import sky_images
from equivlab.groups import P4M
from equivlab.models import smooth_network
from equivlab.widgets import RotateImage
RotateImage(smooth_network(P4M), sky_images(2, size=32), compare=smooth_network(None))
"""
CANVAS = ".equivlab-rotate > canvas"


def test_it_turns_offline_and_says_nothing(opened: Callable[..., TurningPage]) -> None:
    view = opened()
    at_rest = view.look()
    view.drag(90, (110, 125), 70)
    assert view.angle == 90
    assert np.abs(view.look() - at_rest).max() > 0.3
    view.press("r")
    assert view.angle == 0


def test_keys(opened: Callable[..., TurningPage]) -> None:
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
    assert view.pose == "90°, mirrored"
    view.press("r")
    assert view.pose == "0°"
    assert np.abs(view.look() - at_rest).max() == 0


def test_the_stabilised_maps_stand_still_at_quarter_turns(
    opened: Callable[..., TurningPage],
) -> None:
    """At quarter turns, to a level or two of 256; the maps as they come out change and permute."""
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


def test_slider_pictures_and_buttons(opened: Callable[..., TurningPage]) -> None:
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
    assert view.save().size[0] > 600


def test_every_paint_is_of_the_latest_angle(opened: Callable[..., TurningPage]) -> None:
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
def test_nothing_is_cut_off(opened: Callable[..., TurningPage], width: int, scheme: str) -> None:
    opened(width, color_scheme=scheme).check_edges(width)
