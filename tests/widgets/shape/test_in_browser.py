"""RotateShape in headless Chromium: exported without a kernel, and with one that answers."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from equivlab.data import furniture
from equivlab.nn import IrrepGate, SteerableConv3d
from equivlab.widgets import RotateShape
from tests.widgets.chromium import IN_BROWSER, exported_page
from tests.widgets.live_page import live

pytestmark = IN_BROWSER
CANVAS = ".equivlab-shape .stage canvas:last-child"
# Chromium without a graphics card complains of itself when a screenshot is taken.
NOT_OURS = "GPU stall due to ReadPixels"
SETTLED = """async () => {
  const frame = () => new Promise((go) => requestAnimationFrame(go));
  const until = performance.now() + 60_000;
  do {
    if (performance.now() > until) throw new Error("no answer in 60 s");
    await frame();
    await frame();
  } while (window.open_questions);
  await frame();
}"""
SOURCE = """
import torch
from equivlab.data import furniture
from equivlab.nn import SteerableConv3d
from equivlab.widgets import RotateShape
torch.manual_seed(0)
layer = SteerableConv3d("1x0e", "2x0e + 1x1o + 1x2e", 3, padding=1)
RotateShape(layer, furniture(2, size=12).x, places=20, turns=8)
"""


def networks() -> tuple[nn.Module, nn.Module]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gate = IrrepGate("2x0e + 2x1o + 2x2e")
        steerable = nn.Sequential(SteerableConv3d("1x0e", gate.irreps_in, 5, padding=2), gate)
        return steerable, nn.Conv3d(1, 3, 5, padding=2)


@pytest.fixture(scope="module")
def widget() -> RotateShape:
    model, plain = networks()
    grids = furniture(2, size=13).x
    return RotateShape(model, grids, plain, compare_irreps="1x1o", places=40, turns=8)


class Open:
    """The page in a browser, and what a reader can do with it."""

    def __init__(self, page: Any, complaints: list[str]) -> None:
        self.page, self.complaints = page, complaints
        self.canvas = page.locator(CANVAS)

    def settle(self) -> None:
        """Wait until what was asked for has been answered and painted."""
        self.page.evaluate(SETTLED)

    def look(self, box: list[float] | None = None) -> np.ndarray:
        """The picture, or a part of it: left, top, side."""
        self.settle()
        self.page.evaluate("() => document.activeElement.blur()")
        shot = Image.open(io.BytesIO(self.page.locator(".stage").screenshot())).convert("RGB")
        picture = np.asarray(shot) / 255
        if box is None:
            return picture
        x, y, side = (round(value) for value in box)
        return picture[y : y + side, x : x + side]

    @property
    def boxes(self) -> dict[str, Any]:
        return json.loads(self.canvas.get_attribute("data-boxes"))

    @property
    def errors(self) -> list[float]:
        self.settle()
        return json.loads(self.canvas.get_attribute("data-errors"))

    @property
    def angle(self) -> int:
        self.settle()
        return int(self.canvas.get_attribute("aria-valuenow"))

    @property
    def state(self) -> str:
        self.settle()
        return str(self.canvas.get_attribute("data-state"))

    @property
    def live(self) -> bool:
        self.settle()
        return self.canvas.get_attribute("data-live") == "true"

    def press(self, *keys: str) -> None:
        for key in keys:
            self.canvas.focus()
            self.page.keyboard.press(key)

    def drag(self, right: float, down: float, steps: int = 8) -> None:
        box = self.canvas.bounding_box()
        x, y = box["x"] + 120, box["y"] + 150
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + right, y + down, steps=steps)
        self.page.mouse.up()


@pytest.fixture(scope="module")
def address(widget: RotateShape) -> Iterator[str]:
    with live(widget) as url:
        yield url


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Callable[..., Open]]:
    pages = []

    def open_page(
        width: int = 1000,
        url: str = address,
        scheme: str = "light",
        script: str = "",
        awaited: bool = True,
    ) -> Open:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        complaints: list[str] = []

        def hear(said: Any) -> None:
            if said.type in ("error", "warning") and NOT_OURS not in said.text:
                complaints.append(said.text)

        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", hear)
        page.on("requestfailed", lambda request: complaints.append(request.url[:100]))
        if script:
            page.add_init_script(script)
        page.goto(url + scheme if url == address else url)
        page.wait_for_selector(f"{CANVAS}[data-painted]")
        if awaited and url == address:
            page.wait_for_selector(f"{CANVAS}[data-live=true]")
        pages.append(page)
        return Open(page, complaints)

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook with the widget, run and exported to one HTML file."""
    return exported_page([nbformat.v4.new_code_cell(SOURCE)], tmp_path_factory.mktemp("page"))


def test_an_exported_page_turns_in_steps_and_says_nothing(
    opened: Callable[..., Open], page_file: Path
) -> None:
    view = opened(url=page_file.as_uri())
    assert not view.live
    assert view.state == "no kernel answers: the shape turns in recorded steps"
    assert view.angle == 0
    at_rest = view.look()
    view.press("ArrowRight")
    assert view.angle == 45
    view.press("ArrowRight")
    assert view.angle == 90
    assert view.errors[0] < 1e-5
    assert np.abs(view.look() - at_rest).max() > 0.3
    view.press("ArrowDown", "ArrowDown", "ArrowDown")  # no further than lying
    assert view.angle == 120  # a quarter turn, and a quarter turn about another axis
    view.press("r")
    assert view.angle == 0
    view.drag(150, 0)
    assert view.angle >= 45
    view.press("Home")
    assert np.abs(view.look() - at_rest).max() == 0
    view.press("PageDown")
    assert view.state == "no kernel answers: other channels are here"
    assert np.abs(view.look() - at_rest).max() > 0.1
    view.press("PageUp")
    assert view.state == "no kernel answers: the shape turns in recorded steps"
    assert view.complaints == []


def test_with_a_kernel_it_turns_freely(opened: Callable[..., Open], widget: RotateShape) -> None:
    view = opened()
    assert view.live
    at_rest = view.look()
    view.press("ArrowRight")
    assert view.angle == 5
    view.press("ArrowLeft", "ArrowLeft", "ArrowUp", "]")
    rotation = view.page.evaluate("() => window.model.get('rotation')")
    widget.rotation, widget.shape = rotation, 0
    assert view.errors[0] == pytest.approx(widget.error(), rel=1e-3)
    widget.rotation = [1.0, 0.0, 0.0, 0.0]
    view.press("r", "Shift+ArrowRight")
    assert view.angle == 90
    assert view.errors[0] < 1e-5
    assert view.errors[1] > 0.3
    assert view.canvas.get_attribute("aria-valuetext").startswith(
        "turned by 90°, relative error 0 (exact) and "
    )
    view.press("r")
    assert np.abs(view.look() - at_rest)[:250].max() == 0  # below, the curve remembers
    view.drag(90, 40)
    assert view.angle > 20
    assert view.complaints == []


def test_turned_back_the_equivariant_features_stand_still(opened: Callable[..., Open]) -> None:
    view = opened()
    boxes = view.boxes
    kinds = {"out": boxes["out"][0], "back": boxes["back"][0], "plain": boxes["back"][1]}
    # The small axes in the lower left corner turn back too, so that corner is left out.
    parts = {name: [x + 60, y, side - 60] for name, (x, y, side) in kinds.items()}
    first = {name: view.look(box) for name, box in parts.items()}
    for key in ("Shift+ArrowRight", "Shift+ArrowRight"):  # exact on voxels
        view.press(key)
        now = {name: view.look(box) for name, box in parts.items()}
        change = {name: float(np.abs(now[name] - first[name]).mean()) for name in parts}
        assert change["out"] > 0.02
        assert change["back"] < 0.002
        assert change["plain"] > 0.01


def test_one_question_is_open_and_the_latest_rotation_wins(opened: Callable[..., Open]) -> None:
    view = opened()
    view.settle()
    before = view.page.evaluate("() => window.asked")
    painted = int(view.canvas.get_attribute("data-painted"))
    view.page.evaluate(
        """() => { for (let n = 1; n <= 60; n++) {
          const half = n * Math.PI / 360;
          window.model.set("rotation", [Math.cos(half), 0, 0, Math.sin(half)]);
        } }"""
    )
    assert view.angle == 60
    assert view.page.evaluate("() => window.most_open") <= 3
    assert view.page.evaluate("() => window.asked") - before <= 3
    assert int(view.canvas.get_attribute("data-painted")) - painted <= 8
    last = view.page.evaluate("() => window.last_asked.rotation")
    assert last[3] == pytest.approx(math.sin(math.pi / 6))


def test_buttons_shapes_and_the_saved_picture(opened: Callable[..., Open]) -> None:
    view = opened()
    at_rest = view.look()
    button = lambda name: view.page.get_by_role("button", name=name, exact=True)  # noqa: E731
    for name in ("Arrows", "Ellipsoids", "Colour"):
        assert button(name).get_attribute("aria-pressed") == "true"
        before = view.look()
        button(name).click()
        assert np.abs(view.look() - before).max() > 0.1
        assert button(name).get_attribute("aria-pressed") == "false"
        button(name).click()
    assert np.abs(view.look() - at_rest).max() == 0
    button("Shape 2").click()
    assert np.abs(view.look() - at_rest).max() > 0.3
    assert button("Shape 2").get_attribute("aria-pressed") == "true"
    button("Random").click()
    assert view.angle > 0
    button("Reset").click()
    assert view.angle == 0
    with view.page.expect_download() as download:
        button("PNG").click()
    fine = Image.open(download.value.path()).convert("RGB")  # twice as fine as on the page
    saved = np.asarray(fine.reduce(2)) / 255
    shown = view.look()[:, : saved.shape[1]]  # the page is wider than the picture
    assert saved.shape == shown.shape
    assert np.abs(saved - shown).mean() < 0.01  # with what WebGL drew in it
    assert view.complaints == []


def test_trouble_in_the_kernel_is_told(opened: Callable[..., Open], widget: RotateShape) -> None:
    view = opened()
    at_rest = view.look()
    view.page.evaluate("() => { window.model.set('rotation', [NaN, 0, 0, 0]); }")
    assert view.angle == 0  # what is no rotation turns nothing
    view.page.evaluate("() => { window.model.set('rotation', [1, 0, 0, 0]); }")
    assert np.abs(view.look() - at_rest)[:250].max() == 0
    probe, rest = widget.views[0].probe, widget.views[0].probe.rest
    probe.rest = []
    try:
        view.press("ArrowRight")
        shown = view.look()
        assert view.state.startswith("the kernel says: IndexError")
    finally:
        probe.rest = rest
    assert np.abs(shown - at_rest)[-24:].max() > 0.3  # the message at the foot
    view.press("ArrowRight")
    assert view.angle == 10


@pytest.mark.parametrize("how", ["deaf", "gone"])
def test_without_a_kernel_it_turns_in_steps_with_true_numbers(
    opened: Callable[..., Open], widget: RotateShape, how: str
) -> None:
    """The kernel dies while the shape is turned: what is shown belongs to one recorded pose."""
    view = opened()
    view.press("ArrowRight", "ArrowRight")
    assert view.angle == 10
    view.page.evaluate(f"() => {{ window.{how} = true; window.open_questions = 0; }}")
    view.press("ArrowUp")
    view.page.wait_for_selector(f"{CANVAS}[data-silent=true]")
    view.page.evaluate("() => { window.open_questions = 0; }")
    assert view.state == "no kernel answers: the shape turns in recorded steps"
    assert view.angle == 0  # the nearest of those that came with the page
    view.press("ArrowRight")
    assert view.angle == 45
    recorded = [float(one.errors[0][1]) for one in widget.views]
    assert view.errors == pytest.approx(recorded, abs=1e-7)
    view.page.evaluate(f"() => {{ window.{how} = false; }}")
    if how == "gone":  # the next question finds the kernel again
        view.press("ArrowRight")
        view.page.wait_for_selector(f"{CANVAS}[data-live=true]")
        assert view.angle == 90


def test_without_a_kernel_and_without_steps_no_number_is_shown(browser: Any) -> None:
    model, _ = networks()
    with live(RotateShape(model, furniture(1, size=9).x, places=10, turns=0)) as url:
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector(f"{CANVAS}[data-live=true]")
        page.evaluate("() => { window.gone = true; }")
        page.locator(CANVAS).focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(f"{CANVAS}[data-silent=true]")
        canvas = page.locator(CANVAS)
        assert canvas.get_attribute("data-errors") == "[null]"
        assert canvas.get_attribute("data-state") == "no kernel answers: the features stand still"
        assert canvas.get_attribute("aria-valuetext").endswith("relative error –")
        page.close()


def test_without_webgl_the_numbers_still_come(opened: Callable[..., Open]) -> None:
    script = """const own = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
      return kind === "webgl2" ? null : own.call(this, kind, ...rest);
    };"""
    view = opened(script=script)
    view.press("Shift+ArrowRight")
    assert view.angle == 90
    assert view.errors[1] > 0.3
    assert view.complaints == []


def test_it_is_drawn_again_when_shown_again_and_closes(opened: Callable[..., Open]) -> None:
    view = opened()
    at_rest = view.look()
    hide = "(how) => { document.querySelector('.equivlab-offline').style.display = how; }"
    view.page.evaluate(hide, "none")
    view.settle()
    view.page.evaluate(hide, "")
    assert np.abs(view.look() - at_rest).max() == 0
    view.page.evaluate("() => window.shut()")
    asked = view.page.evaluate("() => window.asked")
    view.page.evaluate("() => window.model.set('rotation', [0, 1, 0, 0])")
    assert view.page.evaluate("() => window.asked") == asked
    assert view.complaints == []


@pytest.mark.parametrize("width", [420, 700, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(opened: Callable[..., Open], width: int, scheme: str) -> None:
    view = opened(width, scheme=scheme)
    box = view.canvas.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    picture = view.look()
    edge = np.concatenate([picture[:2].reshape(-1, 3), picture[-3:].reshape(-1, 3)])
    assert np.ptp(edge, axis=0).max() < 0.1  # no ink runs into the frame
    assert np.ptp(picture[:, -2:], axis=(0, 1)).max() < 0.1
    assert view.complaints == []
