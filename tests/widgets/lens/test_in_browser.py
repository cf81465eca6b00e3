"""SeeThrough in Chromium: dragged live, and turned in an exported page without kernel."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from equivlab.widgets import SeeThrough
from tests.widgets.chromium import IN_BROWSER
from tests.widgets.live_page import live
from tests.widgets.turning_page import TurningPage

pytestmark = IN_BROWSER
SOURCE = """
from equivlab.widgets import SeeThrough
SeeThrough(compare="lenses-i-plain")
"""
CANVAS = ".equivlab-lens > canvas"
SETTLED = """() => {
  const canvas = document.querySelector(".equivlab-lens canvas[data-painted]");
  return canvas?.dataset.settled === "true" && canvas.dataset.silent === "false";
}"""


def settled(page: Any) -> None:
    """Wait for the answer to the pose on show, also of one that is not painted yet."""
    page.evaluate("() => new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)))")
    page.wait_for_function(SETTLED)


def silent(view: TurningPage) -> None:
    """Wait until the page knows that no kernel answers, and has said it."""
    view.page.wait_for_selector(f"{CANVAS}[data-silent=true]")
    view.settle()


def test_a_page_without_kernel_turns_in_recorded_steps(opened: Callable[..., TurningPage]) -> None:
    view = opened()
    view.press("ArrowRight")
    silent(view)
    lines = view.page.locator(".equivlab-lens .line span").all_inner_texts()
    assert lines[0].startswith("lenses-i-p4m: no_sub ")
    assert lines[0].endswith("all round, 0 between quarter turns")
    assert lines[2] == "no kernel answers: it turns in recorded steps, the other handles rest"
    view.press("r")
    view.settle()
    at_rest, said = view.look(), view.canvas.get_attribute("data-said")
    view.press("Shift+ArrowRight")
    view.page.wait_for_selector(f"{CANVAS}[data-angle='90']")
    assert np.abs(view.look() - at_rest).max() > 0.3
    now = json.loads(view.canvas.get_attribute("data-said"))
    before = json.loads(said)
    assert now[0] == pytest.approx(before[0], abs=1e-4)  # equivariant
    assert now[1] != pytest.approx(before[1], abs=1e-3)  # plain
    view.press("ArrowRight")
    view.page.wait_for_selector(f"{CANVAS}[data-angle='105']")
    view.press("k")
    view.page.wait_for_selector(f"{CANVAS}[data-kind=cdm]")
    assert view.page.locator("input[data-name=ellipticity]").is_disabled()
    assert view.save().size[0] > 900


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(opened: Callable[..., TurningPage], width: int, scheme: str) -> None:
    opened(width, theme=scheme, height=1200).check_edges(width)


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, SeeThrough]]:
    widget = SeeThrough(compare="lenses-i-plain")
    with live(widget) as found:
        yield found, widget


@pytest.fixture
def held(browser: Any, address: tuple[str, SeeThrough]) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.goto(address[0])
    settled(page)
    yield page
    page.close()


def value(page: Any, name: str) -> Any:
    return page.evaluate(f"() => window.model.get('{name}')")


def pull(page: Any, handle: str, right: float, up: float) -> None:
    """Drag a handle by pixels, and wait for the answer to where it is put."""
    canvas = page.locator(CANVAS)
    box = canvas.bounding_box()
    at = json.loads(canvas.get_attribute("data-places"))[handle]
    page.mouse.move(box["x"] + at["x"], box["y"] + at["y"])
    page.mouse.down()
    page.mouse.move(box["x"] + at["x"] + right, box["y"] + at["y"] - up, steps=8)
    page.mouse.up()
    settled(page)


def test_handles_move_what_they_stand_for(held: Any, address: tuple[str, SeeThrough]) -> None:
    """By as many arc seconds as they are dragged, and the networks are asked about that sky."""
    _, widget = address
    sky = json.loads(held.locator(CANVAS).get_attribute("data-sky"))
    scale = 2 * sky["half"] / sky["side"]
    pull(held, "source", 40, 30)
    assert value(held, "source_x") == pytest.approx(0.2 + 40 * scale, abs=0.02)
    assert value(held, "source_y") == pytest.approx(0.1 + 30 * scale, abs=0.02)
    pull(held, "lens", -30, 0)
    assert value(held, "lens_x") == pytest.approx(-30 * scale, abs=0.02)
    stretched = value(held, "ellipticity")
    pull(held, "axis", 30, 0)
    assert value(held, "ellipticity") > stretched
    assert value(held, "axis_deg") < 30
    held.locator("summary").click()
    held.locator("input[data-name=clump_mass]").focus()
    held.keyboard.press("End")
    held.wait_for_function("() => window.model.get('clump_mass') === 11")
    settled(held)
    pull(held, "clump", 0, -25)
    assert value(held, "clump_y") == pytest.approx(1 - 25 * scale, abs=0.02)
    pose = {name: value(held, name) for name in widget._spec["rest"]}
    content, _ = widget.answer(pose)
    said = json.loads(held.locator(CANVAS).get_attribute("data-said"))
    for mine, theirs in zip(said, content["said"], strict=True):
        assert mine == pytest.approx(theirs, abs=1e-6)


def test_the_sky_turns_under_the_hand(held: Any) -> None:
    canvas = held.locator(CANVAS)
    sky = json.loads(canvas.get_attribute("data-sky"))
    box = canvas.bounding_box()
    x, y = box["x"] + sky["x"] + sky["side"] / 2, box["y"] + sky["y"] + sky["side"] / 2
    far = 0.45 * sky["side"]
    held.mouse.move(x + far, y)
    held.mouse.down()
    held.mouse.move(x, y - far, steps=12)
    held.mouse.up()
    settled(held)
    assert value(held, "angle_deg") == 90
    for key, name, wanted in (
        ("ArrowRight", "angle_deg", 95),
        ("w", "source_y", 0.15),
        ("n", "draw", 1),
        ("o", "noise", False),
        ("c", "curves", False),
        ("k", "kind", "cdm"),
        ("r", "draw", 0),
    ):
        canvas.focus()
        held.keyboard.press(key)
        held.wait_for_function(f"() => window.model.get('{name}') === {json.dumps(wanted)}")
    settled(held)
    assert held.evaluate("() => window.most_open") <= 3


def test_no_curve_of_another_sky_stands_beside_an_answer(held: Any) -> None:
    """A kernel that falls silent after an answer leaves its picture without a turn all round."""
    held.locator(CANVAS).focus()
    held.keyboard.press("w")
    held.wait_for_function("() => window.model.get('source_y') > 0.1")
    settled(held)
    held.evaluate("() => { window.deaf = true; }")
    held.wait_for_selector(f"{CANVAS}[data-silent=true]")
    lines = held.locator(".equivlab-lens .line span").all_inner_texts()
    assert lines[0].startswith("lenses-i-p4m: no_sub ")
    assert "all round" not in lines[0] + lines[1]
