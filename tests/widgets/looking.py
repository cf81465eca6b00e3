"""What a reader does with a widget in any page: size it, read it, turn it, take hold of it."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.widgets.large import Large
from tests.widgets.turning_page import TurningPage

ROOT = Path(__file__).parents[2]
LABELS = (Path(__file__).parent / "labels.js").read_text(encoding="utf-8")
DRIVER = "GL Driver Message"  # that a screenshot of WebGL takes long
AXE = ROOT / "node_modules/axe-core/axe.min.js"
SIZES = {"360": (360, 740, 1), "768": (768, 900, 1), "1440": (1440, 900, 1), "200 %": (720, 450, 2)}
BELOW = 130  # pixels of a window's top that bars of tools may cover
STILL = 0.012  # mean change of a pixel, from 0 to 1, that softened edges may have
# Scroll what holds the canvas until one of its points stands that far below the window's top.
BRING = """(canvas, [y, below]) => {
  let holder = canvas.parentElement;
  const scrolls = (node) => /auto|scroll/.test(getComputedStyle(node).overflowY);
  while (holder && !(holder.scrollHeight > holder.clientHeight + 1 && scrolls(holder)))
    holder = holder.parentElement;
  holder ??= document.scrollingElement;
  const { top } = canvas.getBoundingClientRect();
  holder.scrollTop = Math.round(holder.scrollTop + top + y - below);
}"""
# A layout is 320 pixels wide at least, and drawn smaller in a narrower column.
ZOOM = "(canvas) => Math.min(1, canvas.clientWidth / 320)"
AXE_RUN = """async () => (await axe.run(".equivlab-view")).violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html.slice(0, 160))].join("; "))"""


@cache
def _devtools(page: Any) -> Any:
    """One for each page: a picture taken by another would end the zoom that this one has set."""
    return page.context.new_cdp_session(page)


def resize(view: TurningPage, size: str) -> None:
    """To a width, or a zoom, until it is painted in its new size."""
    width, height, zoom = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": zoom, "mobile": False}
    _devtools(view.page).send("Emulation.setDeviceMetricsOverride", metrics)
    view.page.wait_for_function("(width) => innerWidth === width", arg=width)
    view.settle()
    view.settle()  # sizes are watched after the layout, and painted in the next frame


def bring(view: TurningPage, y: float) -> None:
    """Scroll until a point of the canvas can be seen and taken."""
    view.canvas.evaluate(BRING, [y, BELOW])


def labels(view: TurningPage) -> list[str]:
    """All words of the widget."""
    found: list[str] = view.canvas.evaluate(
        "(canvas) => labelsOf(canvas.closest('.equivlab-view')).map(({ words }) => words)"
    )
    return found


def faults(view: TurningPage) -> list[str]:
    """What of it cannot be read."""
    view.settle()
    found: list[str] = view.canvas.evaluate(
        "(canvas) => faultsOf(canvas.closest('.equivlab-view'))"
    )
    return found


def settle(view: TurningPage) -> None:
    """Wait for the paint, and for the kernel's answer to the pose on show where one is asked."""
    view.settle()
    view.page.wait_for_function(
        "({ dataset }) => dataset.settled !== 'false' || dataset.silent === 'true'",
        arg=view.canvas.element_handle(),
    )
    view.settle()


def seen(view: TurningPage, box: str) -> np.ndarray:
    """The pixels of a box in the canvas, without the focus ring, as far as the window shows it."""
    zoom = view.canvas.evaluate(ZOOM)
    at = [zoom * one for one in view.canvas.evaluate(f"(canvas) => {box}")]
    bring(view, at[1])
    view.settle()
    place = view.canvas.bounding_box()
    x, y = place["x"] + at[0] + 2, place["y"] + at[1] + 2
    high, top = view.page.evaluate("() => [innerHeight, scrollY]")
    height = min(at[3] - 4, high - y)
    assert min(height, y) > 20, "it stands outside the window"
    clip = {"x": x, "y": y + top, "width": at[2] - 4, "height": height, "scale": 1}
    # Not Playwright's own: it would set the size of the window anew.
    options = {"format": "png", "clip": clip}
    found = _devtools(view.page).send("Page.captureScreenshot", options)
    return TurningPage.picture(base64.b64decode(found["data"]))


def turn(view: TurningPage, case: Large, size: str) -> list[str]:
    """Turn it by its key; the steady view stands still. What of it cannot be read then."""
    view.press("r")
    settle(view)
    pose = view.canvas.get_attribute(case.pose)
    steady = seen(view, case.steady) if case.steady else None
    view.press(case.key)
    view.page.wait_for_function(
        "([node, name, pose]) => node.getAttribute(name) !== pose",
        arg=[view.canvas.element_handle(), case.pose, pose],
    )
    settle(view)
    wrong = faults(view)
    if steady is not None:
        off = np.abs(seen(view, case.steady) - steady).mean()
        assert off < STILL, (size, off)
    return wrong


def drag(view: TurningPage, case: Large) -> None:
    """Pull where a hand takes hold, until that is painted."""
    if case.clear:
        whole = view.canvas.locator("xpath=ancestor::*[contains(@class, 'equivlab-view')][1]")
        whole.get_by_role("button", name=case.clear).click()
    zoom = view.canvas.evaluate(ZOOM)
    x, y, far = (zoom * one for one in view.canvas.evaluate(f"(canvas) => {case.hold}"))
    bring(view, y)
    view.settle()
    place = view.canvas.bounding_box()
    before = view.canvas.get_attribute("data-painted")
    view.page.mouse.move(place["x"] + x, place["y"] + y)
    view.page.mouse.down()
    view.page.mouse.move(place["x"] + x + far, place["y"] + y + 0.4 * far, steps=3)
    view.page.mouse.up()
    node = view.canvas.element_handle()
    node.owner_frame().wait_for_function(
        "([node, painted]) => node.dataset.painted !== painted", arg=[node, before]
    )


def wrong_numbers(view: TurningPage, case: Large) -> list[str]:
    """What the page says otherwise than the law and the networks do, in one pose."""
    view.press("r")
    settle(view)
    view.press(case.check)
    settle(view)
    return wrong_as_it_stands(view, case)


def wrong_as_it_stands(view: TurningPage, case: Large) -> list[str]:
    """The same in the pose on show."""
    pose = str(view.canvas.get_attribute(case.pose))
    said = labels(view)
    wanted = case.numbers(*case.parts(), pose)
    assert wanted
    wrong = [f"{one.words} is {one.value:.4g} at {pose}" for one in wanted if not one.is_said(said)]
    return [*wrong, *said] if wrong else []


def lost_out_of_sight(view: TurningPage, others: list[TurningPage]) -> list[str]:
    """What of it is not there any more after the page has been scrolled away and back."""
    whole = "[0, 0, canvas.clientWidth, canvas.clientHeight]"
    before = seen(view, whole)
    far = max(others, key=lambda other: abs(_top(other) - _top(view)))
    bring(far, 0)
    view.settle()
    off = np.abs(seen(view, whole) - before).mean()
    return [f"after scrolling it is other by {off:.3f}"] if off > STILL else []


def _top(view: TurningPage) -> float:
    return float(view.canvas.bounding_box()["y"])


def serious(page: Any) -> list[str]:
    """What axe-core finds in all widgets of a page."""
    if not AXE.exists():
        pytest.skip("all but axe-core, which is not installed: npm ci")
    page.add_script_tag(path=AXE)
    found: list[str] = page.evaluate(AXE_RUN)
    return found


def complaints_of(page: Any) -> list[str]:
    """What a page says in its console from now on, and what it fails to load."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("requestfailed", lambda request: found.append(request.url[:100]))
    page.on("console", lambda said: found.append(said.text)
            if said.type in ("error", "warning") and DRIVER not in said.text else None)  # fmt: skip
    return found
