"""RotateImage in headless Chromium: an exported page, without a kernel and without a network."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser

from equivlab.groups import P4
from equivlab.nn import LiftingConv2d
from equivlab.widgets import RotateImage
from tests.widgets.chromium import IN_BROWSER
from tests.widgets.live_page import live
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
    opened(width, theme=scheme).check_edges(width)


def test_many_channels_are_paged(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 200 % zoom: keys and buttons; those that are not here ask for a kernel; the still too."""
    monkeypatch.setattr("equivlab.widgets.image.rotate_image.MANY_BYTES", 300_000)
    torch.manual_seed(0)
    widget = RotateImage(LiftingConv2d(P4, 1, 250, 3), torch.rand(1, 8, 8), channels=range(250))
    assert widget.window == 28
    with live(widget) as address:
        page = browser.new_page(viewport={"width": 720, "height": 450}, device_scale_factor=2)
        page.goto(address + "light")
        page.wait_for_selector(f"{CANVAS}[data-painted]")
        before, after = (page.get_by_text(words) for words in ("‹ channels", "channels ›"))
        assert before.get_attribute("aria-disabled") == "true"
        after.focus()
        for key in ("Enter", "PageDown", "PageDown", "PageUp"):
            page.keyboard.press(key)
        said = page.locator(".equivlab-rotate .said")
        page.wait_for_function("(node) => node.textContent.startsWith('channels 9 to 12 of 250')",
                               arg=said.element_handle())  # fmt: skip
        assert said.get_attribute("role") == "status"
        assert page.locator(CANVAS).get_attribute("data-here") == "true"
        page.evaluate("() => model.set('page', 62)")
        page.wait_for_selector(f"{CANVAS}[data-here=false]")
        assert after.get_attribute("aria-disabled") == "true"
        assert page.evaluate("() => document.activeElement.textContent") == "channels ›"
        widget.page = 62  # what the page tells the kernel, and the kernel sends
        sent = base64.b64encode(widget._maps).decode()
        page.evaluate(
            """([sent, first]) => {
              const raw = Uint8Array.from(atob(sent), (c) => c.charCodeAt(0));
              model.set("_maps", new DataView(raw.buffer));
              model.set("_first", first);
            }""",
            [sent, widget._first],
        )
        page.wait_for_selector(f"{CANVAS}[data-here=true]")
        page.close()
    still = widget.still()
    widget.page = 2
    assert widget.still() != still


READY = f"{CANVAS}[data-painted]"


def test_help_full_screen_theme_and_print(opened: Callable[..., TurningPage]) -> None:
    """What all widgets share: the list of keys, large type, the ink of a theme, fine pictures."""
    view = opened()
    page, canvas = view.page, view.canvas
    view.press("?")
    asked = page.get_by_role("button", name="Help")
    assert asked.get_attribute("aria-expanded") == "true"
    words = page.get_by_role("region", name="Keys and words").inner_text()
    assert {"m 90°", "resampling", "PageDown"} & set(words.replace(",", "\n").split("\n"))
    view.press("?")
    assert asked.get_attribute("aria-expanded") == "false"
    view.press(".")
    assert view.pose == "1° (computed: 0°)"
    view.press("r")
    width = canvas.bounding_box()["width"]
    assert view.save().size[0] == round(2 * width)
    view.press("f")
    page.wait_for_selector(".equivlab-rotate.fills")
    view.settle()
    assert page.locator(".equivlab-rotate .hints").is_visible()
    assert canvas.bounding_box()["height"] <= 1000
    view.press("f")
    page.wait_for_selector(".equivlab-rotate:not(.fills)")
    view.settle()
    dark = view.look().min()
    page.evaluate(  # no attribute of the page changes: only a rule of style
        """() => document.head.append(Object.assign(document.createElement("style"), {
          textContent: "body { background: #111 !important; } " +
            ".equivlab-view { color: rgb(221, 221, 221) !important; }" }))"""
    )
    page.wait_for_function(
        """() => getComputedStyle(document.querySelector(".equivlab-view"))
          .getPropertyValue("--equivlab-model") === "#f58a42" """
    )
    assert view.look().min() != dark or dark == 0


@pytest.mark.parametrize("key", ["", "o"])
def test_it_fills_a_wide_screen(opened: Callable[..., TurningPage], key: str) -> None:
    """Rows of maps and dials stand beside each other where a screen is wide and not tall."""
    view = opened()
    view.page.set_viewport_size({"width": 1280, "height": 720})
    if key:
        view.press(key)
    view.press("f")
    view.page.wait_for_selector(".equivlab-rotate.fills")
    view.settle()
    box = view.canvas.bounding_box()
    assert box["width"] > 1100, box
    assert box["y"] + box["height"] <= 720


def test_on_a_low_screen_it_scrolls_below_its_bars(opened: Callable[..., TurningPage]) -> None:
    """Where buttons and hints leave no room, the rest is not squeezed into nothing."""
    view = opened()
    view.page.set_viewport_size({"width": 480, "height": 160})
    view.press("f")
    view.page.wait_for_selector(".equivlab-rotate.fills")
    view.settle()
    assert view.canvas.bounding_box()["height"] >= 70


def test_a_finger_scrolls_over_all_but_what_one_drags(browser: Browser) -> None:
    widget = RotateImage(LiftingConv2d(P4, 1, 2, 3), torch.rand(1, 12, 12))
    with live(widget) as address:
        page = browser.new_page(viewport={"width": 700, "height": 400}, has_touch=True)
        page.goto(address + "light")
        page.wait_for_selector(READY)
        touch = page.context.new_cdp_session(page)

        def swipe(x: float, y: float) -> float:
            """From a point of the canvas upwards; how far the page goes along."""
            page.evaluate("() => scrollTo(0, 0)")
            box = page.locator(CANVAS).bounding_box()
            at = {"x": box["x"] + x, "y": box["y"] + y}
            moves = [("touchStart", [at])]
            moves += [("touchMove", [{**at, "y": at["y"] - 15 * n}]) for n in range(1, 7)]
            for kind, points in [*moves, ("touchEnd", [])]:
                touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            page.evaluate("() => new Promise((go) => requestAnimationFrame(go))")
            return float(page.evaluate("() => scrollY"))

        assert swipe(160, 110) == 0  # over the input, which turns
        angle = page.evaluate("() => model.get('angle_deg')")
        assert angle > 0
        assert swipe(500, 150) > 20  # over the maps
        assert page.evaluate("() => model.get('angle_deg')") == angle
        page.close()


def test_the_square_goes_both_ways_round(opened: Callable[..., TurningPage]) -> None:
    """The turned image and the turned maps both turn under the hand."""
    view = opened()
    view.press("s")
    page = view.page
    page.wait_for_selector(f"{CANVAS}[data-square=true]")
    places = json.loads(view.canvas.get_attribute("data-blocks"))
    for name in ("turned", "below"):
        view.press("r")
        x, y, side, _ = places[name]
        view.drag(90, (x + side / 2, y + side / 2), 0.4 * side)
        assert view.angle == 90, name
    at_rest = view.look()
    page.get_by_role("button", name="Square").click()
    page.wait_for_selector(f"{CANVAS}[data-square=false]")
    assert view.look().shape != at_rest.shape
