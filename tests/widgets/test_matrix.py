"""Every widget on a page of its own, with the network cut: light and dark, narrow to zoomed.

One page is opened for each widget and theme, and resized. In every size all words are read from
where they stand, those on canvases too: none is cut, squeezed or under another. Keys and the
pointer move what they should, the steady view stands still, and nothing is said in the console.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from equivlab.data import globe_signals
from equivlab.groups import P4M
from equivlab.models import P4CNN
from equivlab.nn import IrrepGate, LiftingConv2d, S2Conv, SteerableConv3d
from equivlab.widgets import AccuracyVsAngle, FilterOrbit, RotateImage, RotateShape, RotateSphere
from tests.widgets.cases import WIDGETS
from tests.widgets.chromium import IN_BROWSER
from tests.widgets.turning_page import TurningPage

pytestmark = IN_BROWSER
ROOT = Path(__file__).parents[2]
LABELS = (Path(__file__).parent / "labels.js").read_text(encoding="utf-8")
DRIVER = "GL Driver Message"  # that a screenshot of WebGL takes long
AXE = ROOT / "node_modules/axe-core/axe.min.js"
SIZES = {"360": (360, 740, 1), "768": (768, 900, 1), "1440": (1440, 900, 1), "200 %": (720, 450, 2)}


@dataclass(frozen=True)
class Large:
    """A widget with as many words as it may have, and what moves it.

    Attributes:
        make: the widget.
        modes: keys that show it in another way; pressed again they lead back.
        key: turns what is shown.
        pose: an attribute of its canvas that this changes.
        steady: a box in its canvas, ``x, y, width, height``, that stands still then; as JavaScript.
        hold: where a hand takes it, and how far it pulls, in the layout of the canvas.
    """

    make: Callable[[], Any]
    modes: str = ""
    key: str = "ArrowRight"
    pose: str = "aria-valuetext"
    steady: str = ""
    hold: str = ""


def _image() -> RotateImage:
    torch.manual_seed(0)
    model, plain = LiftingConv2d(P4M, 1, 6, 3, padding=1), nn.Conv2d(1, 6, 3, padding=1)
    x = torch.rand(3, 1, 16, 16)
    return RotateImage(model, x, compare=plain, channels=range(6), compare_channels=range(6))


def _sphere() -> RotateSphere:
    torch.manual_seed(0)
    plain = nn.Conv2d(1, 2, 3, padding=1)
    return RotateSphere(S2Conv(1, 2, 8, 8), globe_signals(bandwidth=8), compare=plain, turns=4)


def _shape() -> RotateShape:
    torch.manual_seed(0)
    gate = IrrepGate("2x0e + 1x1o + 1x2e")
    model = nn.Sequential(SteerableConv3d("1x0e", gate.irreps_in, 3, padding=1), gate)
    plain = nn.Conv3d(1, 4, 3, padding=1)
    return RotateShape(model, torch.rand(2, 1, 7, 7, 7), compare=plain, places=12, turns=4)


def _filter() -> FilterOrbit:
    return FilterOrbit(torch.randn(14, 5, 5), group=P4M)


def _accuracy() -> AccuracyVsAngle:
    torch.manual_seed(0)
    networks = {"P4CNN": P4CNN(width=2), "plain CNN": P4CNN(width=1)}
    images, labels = torch.rand(14, 1, 28, 28), torch.arange(14) % 10
    return AccuracyVsAngle(networks, images, labels, steps=8, mirrored=True, progress=False)


BLOCK = "JSON.parse(canvas.dataset.blocks).stabilised"
SPHERE = """(({ disc, places }) => [places[2].x, places[2].y, disc, disc])(
  JSON.parse(canvas.dataset.places))"""
SHAPE = """(([x, y, side]) => [x + 36, y, side - 36, side - 36])(
  JSON.parse(canvas.dataset.boxes).back[0])"""
DISC = """(({ x, y, side }) => [x + side / 2, y + side / 2, side / 3])(
  JSON.parse(canvas.dataset.disc))"""
GRID = "(({ x, y, side }) => [x + 4, y + 4, side / 2])(JSON.parse(canvas.dataset.grid))"
LARGE = {
    "RotateImage": Large(
        _image, modes="so", key="Shift+ArrowRight", steady=BLOCK, hold="[90, 100, 60]"
    ),
    "RotateSphere": Large(
        _sphere, modes="s", pose="data-angle", steady=SPHERE, hold="[70, 90, 40]"
    ),
    "RotateShape": Large(_shape, modes="s", steady=SHAPE, hold="[60, 90, 90]"),
    "FilterOrbit": Large(_filter, pose="data-element", hold=GRID),
    "AccuracyVsAngle": Large(_accuracy, hold=DISC),
}


@cache
def page_of(name: str) -> str:
    """The page of a widget, made once."""
    return str((LARGE[name].make if name in LARGE else WIDGETS[name].make)().to_html())


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=WIDGETS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def view(browser: Any, name: str, scheme: str, tmp_path: Path) -> Iterator[TurningPage]:
    """The widget's page, offline; it must not have complained by the end."""
    file = tmp_path / "page.html"
    file.write_text(page_of(name), encoding="utf-8")
    size = {"width": 1100, "height": 900}
    page = browser.new_page(viewport=size, offline=True, color_scheme=scheme)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url[:100]))
    page.on("console", lambda said: complaints.append(said.text)
            if said.type in ("error", "warning") and DRIVER not in said.text else None)  # fmt: skip
    page.add_init_script(LABELS)
    page.goto(file.as_uri())
    page.wait_for_selector(".equivlab-view canvas[data-painted]")
    yield TurningPage(page, ".equivlab-view canvas[tabindex]", complaints, scheme == "dark")
    page.close()
    assert complaints == []


def resize(view: TurningPage, size: str) -> None:
    """To a width, or a zoom, until it is painted in its new size."""
    width, height, zoom = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": zoom, "mobile": False}
    view.page.context.new_cdp_session(view.page).send("Emulation.setDeviceMetricsOverride", metrics)
    view.page.wait_for_function("(width) => innerWidth === width", arg=width)
    view.settle()
    view.settle()  # sizes are watched after the layout, and painted in the next frame


def faults(view: TurningPage) -> list[str]:
    view.settle()
    found: list[str] = view.page.evaluate(
        "() => faultsOf(document.querySelector('.equivlab-view'))"
    )
    return found


def seen(view: TurningPage, box: str) -> np.ndarray:
    """The pixels of a box in the canvas, without the focus ring."""
    at = view.page.evaluate(f"(canvas) => {box}", view.canvas.element_handle())
    place = view.canvas.bounding_box()
    top = view.page.evaluate("() => scrollY")
    x, y = place["x"] + at[0] + 2, place["y"] + at[1] + 2 + top
    clip = {"x": x, "y": y, "width": at[2] - 4, "height": at[3] - 4, "scale": 1}
    # Not Playwright's own: it would set the size of the window anew.
    options = {"format": "png", "clip": clip, "captureBeyondViewport": True}
    found = view.page.context.new_cdp_session(view.page).send("Page.captureScreenshot", options)
    return TurningPage.picture(base64.b64decode(found["data"]))


def test_it_can_be_read_and_turned_in_every_size(view: TurningPage, name: str) -> None:
    case = LARGE.get(name, Large(lambda: None))
    labels = "() => labelsOf(document.querySelector('.equivlab-view')).length"
    wrong: dict[str, list[str]] = {}
    for size in SIZES:
        resize(view, size)
        assert view.page.evaluate(labels) > 5
        wrong[size] = faults(view)
        for mode in case.modes:
            view.press(mode)
            wrong[f"{size}, {mode}"] = faults(view)
            view.press(mode)
        if name not in LARGE:
            continue
        view.press("r")
        view.settle()
        pose = view.canvas.get_attribute(case.pose)
        steady = seen(view, case.steady) if case.steady else None
        view.press(case.key)
        view.page.wait_for_function(
            "([node, name, pose]) => node.getAttribute(name) !== pose",
            arg=[view.canvas.element_handle(), case.pose, pose],
        )
        wrong[f"{size}, turned"] = faults(view)
        if steady is not None:
            assert np.abs(seen(view, case.steady) - steady).mean() < 0.012, size
        assert dragged(view, case) is True, size
        view.press("r")
    said = [f"{size}: {fault}" for size, found in wrong.items() for fault in found]
    assert not said, "\n".join(said)
    ink = view.page.locator(".equivlab-view").evaluate("(node) => getComputedStyle(node).color")
    assert (ink == "rgb(255, 255, 255)") == view.dark


def dragged(view: TurningPage, case: Large) -> bool:
    """Whether the pointer, pulled from where a hand takes hold, changes the state."""
    view.page.evaluate("() => scrollTo(0, 0)")
    x, y, far = view.page.evaluate(f"(canvas) => {case.hold}", view.canvas.element_handle())
    place = view.canvas.bounding_box()
    before = view.canvas.get_attribute("data-painted")
    view.page.mouse.move(place["x"] + x, place["y"] + y)
    view.page.mouse.down()
    view.page.mouse.move(place["x"] + x + far, place["y"] + y + 0.4 * far, steps=3)
    view.page.mouse.up()
    view.page.wait_for_function(
        "([node, painted]) => node.dataset.painted !== painted",
        arg=[view.canvas.element_handle(), before],
    )
    return True


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm ci")
def test_axe_finds_nothing_serious(view: TurningPage) -> None:
    view.page.add_style_tag(content="html { background: Canvas; }")  # of a dark scheme, said to axe
    view.page.add_script_tag(path=AXE)
    view.press("?")
    found = view.page.evaluate(
        """async () => (await axe.run(document)).violations
          .filter(({ impact }) => impact === "serious" || impact === "critical")
          .map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html.slice(0, 160))].join("; "))
        """
    )
    assert found == []


def test_a_word_over_another_is_found(browser: Any) -> None:
    """So the matrix can fail: cut, squeezed, over another, and on a canvas that is drawn on one."""
    page = browser.new_page(viewport={"width": 300, "height": 200})
    page.add_init_script(LABELS)
    page.goto("data:text/html,<div id=a><canvas width=200 height=100></canvas></div>")
    found = page.evaluate(
        """() => {
          const pen = document.querySelector("canvas").getContext("2d");
          Object.assign(pen, { font: "13px sans-serif", textBaseline: "top" });
          pen.fillText("first", 10, 10);
          pen.fillText("second", 20, 14);
          pen.fillText("a long one beyond the edge", 120, 60);
          pen.fillText("squeezed to nothing", 10, 40, 30);
          const other = document.createElement("canvas");
          const below = other.getContext("2d");
          below.fillText("under", 5, 12);
          pen.drawImage(other, 10, 70);
          pen.fillText("above", 14, 74);
          return faultsOf(document.querySelector("#a"));
        }"""
    )
    page.close()
    kinds = [re.split(r"\W", fault)[0] for fault in found]
    assert kinds == ["cut", "squeezed", "one", "one"]
    assert found[2] == "one over another: second | first"
    assert set(found[3].removeprefix("one over another: ").split(" | ")) == {"under", "above"}
