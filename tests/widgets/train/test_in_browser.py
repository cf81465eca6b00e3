"""TrainLive in Chromium: an exported page plays what was seen, a live one trains."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from equivlab.widgets import TrainLive
from tests.widgets.chromium import IN_BROWSER
from tests.widgets.live_page import live
from tests.widgets.turning_page import TurningPage

pytestmark = IN_BROWSER
SOURCE = """
import torch
from torch import nn
from equivlab.data import digit_images
from equivlab.groups import P4
from equivlab.nn import GroupPool, LiftingConv2d
from equivlab.widgets import TrainLive
torch.manual_seed(0)
x, y = digit_images(20)
layers = [LiftingConv2d(P4, 1, 4, 5), GroupPool(P4, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
model = nn.Sequential(*layers, nn.Linear(4, 10))
TrainLive(model, (x[:60], y[:60]), epochs=2, batch_size=8, lr=0.05, every=2).train()
"""
CANVAS = ".equivlab-train > canvas"


# What the slider stands at, each once.
WATCH = """() => {
  const canvas = document.querySelector(".equivlab-train > canvas");
  window.visited = [];
  new MutationObserver(() => {
    const now = canvas.getAttribute("aria-valuenow");
    if (window.visited.at(-1) !== now) window.visited.push(now);
  }).observe(canvas, { attributes: true });
}"""


def said(view: Any) -> str:
    return str(view.page.locator(".equivlab-train .said").inner_text())


def test_a_page_without_kernel_plays_what_was_seen(opened: Callable[..., TurningPage]) -> None:
    view = opened()
    assert said(view) == "trained to the end"
    assert view.angle == 6  # the last of seven looks
    assert view.pose.startswith("step 12 of 12, epoch 2.0 of 2: accuracy upright ")
    at_the_end = view.look()
    view.press("Home")
    assert view.pose.startswith("step 0 of 12")
    before = view.look()
    assert np.abs(before - at_the_end).max() > 0.3
    view.press("ArrowRight")
    assert view.pose.startswith("step 2 of 12")
    view.page.locator(".equivlab-train input[type=range]").fill("4")
    assert view.angle == 4
    view.press("r")
    assert view.angle == 6
    view.page.evaluate(WATCH)
    view.press(" ")  # plays, from the beginning
    view.page.wait_for_function("() => window.visited.length > 1 && window.visited.at(-1) === '6'")
    visited = view.page.evaluate("() => window.visited")
    if visited[0] == "6":  # where it was is painted once more
        visited = visited[1:]
    assert visited == [str(n) for n in range(7)]
    view.page.get_by_role("button", name="Play").wait_for()
    box = view.canvas.bounding_box()
    view.page.mouse.click(box["x"] + 70, box["y"] + 100)  # the beginning of the losses
    assert view.angle == 0
    assert view.save().size[0] > 900


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(opened: Callable[..., TurningPage], width: int, scheme: str) -> None:
    opened(width, theme=scheme, height=1100).check_edges(width)


def untrained() -> TrainLive:
    torch.manual_seed(0)
    data = (torch.rand(30, 1, 8, 8), torch.arange(30) % 3)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))
    return TrainLive(model, data, epochs=2, batch_size=8)


def test_buttons_and_keys_ask_the_kernel(browser: Any) -> None:
    """One step by a key of one view, the end by the button of the other; then nobody answers."""
    widget = untrained()
    with live(widget) as address:
        page = browser.new_page()
        page.goto(f"{address}?2")
        page.wait_for_function("() => document.querySelectorAll('[data-painted]').length === 2")
        first, second = (page.locator(".equivlab-train").nth(n) for n in range(2))
        assert first.locator(".said").inner_text() == "not trained yet"
        asked = "() => window.open_questions === 0 && window.asked === "
        page.wait_for_function(f"{asked}2")  # each view has asked whether anybody is there
        first.locator("canvas[tabindex]").focus()
        page.keyboard.press("s")
        page.wait_for_function(f"{asked}3")
        second.get_by_role("button", name="Stop").click()
        page.wait_for_function(f"{asked}4")
        widget.wait()
        assert (widget.phase, widget.seen[-1].step) == ("stopped", 1)
        page.evaluate("() => { window.gone = true; }")
        first.get_by_role("button", name="Train").click()
        page.wait_for_selector(".equivlab-train canvas[data-silent=true]")
        assert first.locator(".said").inner_text() == "no kernel answers: nothing trains here"
        step = first.get_by_role("button", name="Step")
        assert step.get_attribute("aria-disabled") == "true"
        page.close()


def test_what_comes_from_the_kernel_is_drawn(browser: Any) -> None:
    """A look after the other, as the kernel sends them; the slider stays where one has put it."""
    widget = untrained()
    with live(widget) as address:
        page = browser.new_page()
        page.goto(address)
        canvas = page.locator(f"{CANVAS}[data-painted]")
        canvas.wait_for()
        widget.train()
        rows, latest = json.dumps(widget._records), list(widget._latest)
        page.evaluate(
            f"""() => {{
              const {{ model }} = window;
              model.set("_losses", {json.dumps(widget._losses)});
              model.set("_records", {rows});
              model.set("_latest", new DataView(new Uint8Array({latest}).buffer));
              model.set("phase", "training");
            }}"""
        )
        page.wait_for_selector(f"{CANVAS}[data-phase=training]")
        assert canvas.get_attribute("aria-valuetext").startswith("step 6 of 6")
        page.get_by_role("button", name="Pause").wait_for()
        canvas.focus()
        page.keyboard.press("Home")
        page.evaluate("() => window.model.set('phase', 'done')")
        page.wait_for_selector(f"{CANVAS}[data-phase=done]")
        assert canvas.get_attribute("aria-valuetext").startswith("step 0 of 6")
        page.close()
