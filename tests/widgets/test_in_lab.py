"""All widgets in a real JupyterLab: keys, numbers and stills when the kernel goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.widgets.chromium import IN_BROWSER
from tests.widgets.lab import (
    ADDRESSES,
    KERNEL,
    SNAPSHOT,
    lab_server,
    open_and_run,
    write_notebook,
)

pytestmark = IN_BROWSER
SOURCES = [
    """
import torch
from torch import nn
from equivlab.groups import P4M
from equivlab.nn import LiftingConv2d, S2Conv, SteerableConv3d
from equivlab.widgets import AccuracyVsAngle, FilterOrbit, RotateImage, RotateShape, RotateSphere
torch.manual_seed(0)
images = torch.rand(2, 1, 12, 12)
RotateImage(LiftingConv2d(P4M, 1, 1, 3, padding=1), images, channels=[0])
""",
    "FilterOrbit(torch.rand(2, 3, 3), torch.rand(12, 12), group=P4M)",
    "RotateSphere(S2Conv(1, 2, 4, 4), torch.rand(2, 1, 8, 8), channels=[0, 1])",
    """
layer = SteerableConv3d("1x0e", "1x0e + 1x1o + 1x2e", 3, padding=1)
RotateShape(layer, torch.rand(2, 1, 7, 7, 7), places=8, turns=4)
""",
    """
networks = {"linear": nn.Sequential(nn.Flatten(), nn.Linear(144, 10))}
labels = torch.tensor([0, 1])
AccuracyVsAngle(networks, images, labels, steps=8, mirrored=True, progress=False)
""",
    """
from equivlab.widgets import TrainLive
data = (torch.rand(20, 1, 12, 12), torch.arange(20) % 2)
TrainLive(nn.Sequential(nn.Flatten(), nn.Linear(144, 2)), data)
""",
    """
from equivlab.widgets import SeeThrough
SeeThrough("II")
""",
    "# the last cell",
]
KINDS = ("rotate", "orbit", "sphere", "shape", "accuracy", "train", "lens")
# All that any widget documents, and what JupyterLab makes of keys: d d deletes a cell, m, y and r
# change its kind, a b x c v z insert, cut and undo, 1 makes a heading, j k and arrows move on.
KEYS = [
    *("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End", "PageDown", "PageUp"),
    *("Shift+ArrowRight", "Shift+ArrowLeft", "Shift+ArrowUp", "Shift+ArrowDown"),
    *"rmg,.<>[]{}wasdd+-0",
    *"abxcvzyjk1iolhs?f",
    *(" ", "Enter", "Shift+M", "Shift+L", "Backspace", "Delete"),
]
CONTROLS = "button:visible, select:visible, input:visible, canvas[tabindex]"
# A widget that fills the screen lets the others be seen again.
BACK = """async () => {
  if (document.fullscreenElement) await document.exitFullscreen();
  for (const node of document.querySelectorAll(".fills")) node.classList.remove("fills");
}"""


@pytest.fixture(scope="module")
def lab(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A page of JupyterLab in which a notebook with all widgets has run."""
    folder: Path = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "widgets.ipynb", SOURCES)
    with lab_server(folder) as address:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        open_and_run(page, address + ADDRESSES["JupyterLab"].format("widgets.ipynb"), len(KINDS))
        yield page
        page.close()


@pytest.mark.parametrize("kind", KINDS)
def test_no_key_reaches_the_notebook(lab: Any, kind: str) -> None:
    """Every key on every control, and after a click beside them: the notebook stays as it was."""
    view = lab.locator(f".equivlab-{kind}")
    controls = view.locator(CONTROLS)
    view.locator("canvas[tabindex]").click(position={"x": 3, "y": 3})
    before = lab.evaluate(SNAPSHOT)
    for n in range(controls.count()):
        control = controls.nth(n)
        words = control.get_attribute("aria-label") or control.inner_text()
        control.focus()
        for key in KEYS:
            if key in (" ", "Enter") and words == "PNG":
                continue  # saves a picture
            lab.keyboard.press(key)
        assert lab.evaluate(SNAPSHOT) == before, words
    view.locator(".bar").click(position={"x": 1, "y": 1})
    before = lab.evaluate(SNAPSHOT)
    for key in KEYS:
        lab.keyboard.press(key)
    assert lab.evaluate(SNAPSHOT) == before
    lab.evaluate(BACK)


def test_the_ways_out_stay_open(lab: Any) -> None:
    """Tab goes on to the next control; Shift+Enter runs the cell and moves to the next."""
    view = lab.locator(".equivlab-accuracy")
    view.get_by_role("button", name="Reset").focus()
    lab.keyboard.press("Tab")
    assert lab.evaluate("() => document.activeElement.textContent") == "Mirror"
    active = "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    lab.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 4; }")
    view.get_by_role("button", name="PNG").focus()
    lab.keyboard.press("Shift+Enter")
    lab.wait_for_function(f"{active} === 5")


def test_outside_the_widgets_the_same_keys_act_on_the_notebook(lab: Any) -> None:
    """So the snapshot sees what a key of a widget must not do."""
    lab.evaluate(
        """() => {
          const { content } = window.jupyterapp.shell.currentWidget;
          content.activeCellIndex = 7;
          content.mode = "command";
          content.activate();
        }"""
    )
    before = lab.evaluate(SNAPSHOT)
    lab.keyboard.press("m")
    assert lab.evaluate(SNAPSHOT) != before


def test_keys_act_wherever_the_focus_is(lab: Any) -> None:
    """On the slider the arrows turn, with Shift by 90°; on a button the letters act."""
    view = lab.locator(".equivlab-rotate")
    canvas = view.locator("canvas[tabindex]")
    view.get_by_role("button", name="Reset").click()
    for control, key, pose in (
        (view.locator("input"), "ArrowRight", "5°"),
        (view.locator("input"), "Shift+ArrowRight", "95°"),
        (view.get_by_role("button", name="Mirror"), "m", "95°, mirrored"),
        (view.get_by_role("button", name="Mirror"), "r", "0°"),
        (view.locator("input"), "End", "355°"),
        (view.locator("input"), "Home", "0°"),
    ):
        control.focus()
        lab.keyboard.press(key)
        lab.wait_for_function(
            "([node, pose]) => node.getAttribute('aria-valuetext') === pose",
            arg=[canvas.element_handle(), pose],
        )


def test_after_a_restart_of_the_kernel_no_number_is_stale(lab: Any) -> None:
    """The globe and the shape say at once that no kernel answers."""
    sphere = lab.locator(".equivlab-sphere")
    sphere.locator("canvas[tabindex]").focus()
    lab.keyboard.press("r")  # another test may have turned it
    lab.wait_for_selector(".equivlab-sphere canvas[data-settled=true][data-angle='0.000']")
    lab.evaluate(f"async () => {{ await {KERNEL}.restart(); }}")
    lab.wait_for_function(f"() => {KERNEL}?.status === 'idle'", timeout=120_000)
    sphere.locator("canvas[tabindex]").focus()
    lab.keyboard.press("Shift+ArrowRight")
    lab.wait_for_selector(".equivlab-sphere canvas[data-silent=true]")
    words = sphere.locator(".line span").all_inner_texts()
    assert words[0].startswith("relative error: 0")  # of the recorded pose in which it stands
    assert words[1] in ("turned by 30°", "turned by 60°")  # 45° lies between them
    assert words[3] == "no kernel answers: the globe turns in recorded steps"
    shape = lab.locator(".equivlab-shape canvas[tabindex]")
    shape.focus()
    lab.keyboard.press("ArrowRight")
    lab.wait_for_selector(".equivlab-shape canvas[data-silent=true]")
    assert shape.get_attribute("data-state") == (
        "no kernel answers: the shape turns in recorded steps"
    )
    lab.keyboard.press("r")
    lab.keyboard.press("ArrowRight")
    lab.wait_for_selector(".equivlab-shape canvas[aria-valuenow='90']")


def test_reopened_after_that_a_notebook_shows_its_stills(lab: Any) -> None:
    """In the place of "model not found", with how to bring them to life; and they come to life."""
    lab.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save'); }")
    lab.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    lab.reload()
    still = lab.locator(".equivlab-still")
    still.nth(len(KINDS) - 1).wait_for(state="attached", timeout=120_000)
    assert still.count() == len(KINDS)
    assert "Run the cell (Shift+Enter) to bring it to life" in still.first.inner_text()
    picture = still.first.locator("img")
    assert picture.evaluate("(img) => img.naturalWidth") > 100
    assert str(picture.get_attribute("alt")).startswith("RotateImage(2 images")
    assert lab.locator("text=model not found").count() == 0
    lab.wait_for_function(f"() => {KERNEL}?.status === 'idle'", timeout=120_000)
    lab.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    lab.wait_for_selector(".equivlab-accuracy canvas[data-painted]", timeout=180_000)
    assert still.count() == 0
