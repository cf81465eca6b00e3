"""Widgets side by side in one JupyterLab: how soon a hand sees what it does.

    python benchmarks/widgets.py [--seconds 2] [--drags 7]

Headless Chromium drags in a notebook with our widgets, and with the usual ways to the same
pictures, some seconds, several times: `interact` of ipywidgets around matplotlib, and, where they
are installed, ipympl and plotly's `FigureWidget`. Of each: frames a second while the hand moves,
milliseconds from a movement to the next frame that shows anything new, how long after the hand has
let go the picture is that of its last pose (of others: still changes; median and worst of the
drags), answers of the kernel a second, and movements a second. On a busy machine all of these are
of the machine: the last line says its load.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import websocket
from browser import chromium

from tests.widgets.lab import KERNEL, lab_server, write_notebook

BEGIN = """
import torch
from equivlab.data import globe_signals, sky_images
from equivlab.fields import rotate_maps
from equivlab.groups import P4
from equivlab.models import smooth_network
from equivlab.nn import S2Conv
from equivlab.widgets import RotateImage, RotateSphere, SeeThrough
torch.manual_seed(0)
model, picture = smooth_network(P4), sky_images(1)

def maps(angle):
    turned = rotate_maps(picture, angle * torch.pi / 180)
    with torch.no_grad():
        return [turned[0, 0], *model(turned)[0, :2].flatten(0, 1)]
"""
INTERACT = """
import matplotlib.pyplot as plt
from ipywidgets import IntSlider, interact

@interact(angle=IntSlider(0, 0, 359, layout={"width": "500px"}))
def show(angle):
    figure, axes = plt.subplots(1, 9, figsize=(9, 1.2))
    for ax, one in zip(axes, maps(angle)):
        ax.imshow(one, cmap="RdBu_r")
        ax.set_axis_off()
    plt.show()
"""
IPYMPL = """
%matplotlib widget
import matplotlib.pyplot as plt
from ipywidgets import IntSlider
from IPython.display import display
figure, axes = plt.subplots(1, 9, figsize=(9, 1.2))
drawn = [ax.imshow(one, cmap="RdBu_r") for ax, one in zip(axes, maps(0))]

def draw(change):
    for one, values in zip(drawn, maps(change["new"])):
        one.set_data(values)
    figure.canvas.draw_idle()

slider = IntSlider(0, 0, 359, layout={"width": "500px"})
slider.observe(draw, "value")
display(slider)
"""
PLOTLY = """
import plotly.graph_objects as go
from ipywidgets import IntSlider, VBox
from plotly.subplots import make_subplots
view = go.FigureWidget(make_subplots(1, 9))
for n, one in enumerate(maps(0)):
    view.add_heatmap(z=one, row=1, col=n + 1, showscale=False)
slider = IntSlider(0, 0, 359, layout={"width": "500px"})

def draw(change):
    with view.batch_update():
        for one, values in zip(view.data, maps(change["new"])):
            one.z = values

slider.observe(draw, "value")
VBox([slider, view])
"""
DEBUG_PORT = 9377
PACE = 3.0  # radians a second, so that each movement is of more than a degree
#: By name: the cell, what it needs, the canvas whose disc is dragged or None for a slider.
KINDS: dict[str, tuple[str, str, str | None]] = {
    "RotateImage (atlas)": ("RotateImage(model, picture)", "equivlab", ".equivlab-rotate"),
    "RotateSphere (live)": (
        "RotateSphere(S2Conv(1, 2, 32, 16), globe_signals(bandwidth=32))",
        "equivlab",
        ".equivlab-sphere",
    ),
    "SeeThrough (live)": (
        'SeeThrough(compare="lenses-i-plain")',
        "equivlab",
        ".equivlab-lens",
    ),
    "interact + matplotlib": (INTERACT, "matplotlib", None),
    "ipympl": (IPYMPL, "ipympl", None),
    "plotly FigureWidget": (PLOTLY, "plotly", None),
}
# Movements, frames in which a picture changed, when the hand let go, and when first after that the
# picture was that of its last pose, of widgets that say so.
WATCH = """(node) => {
  const meter = (window.meter = { moves: [], frames: [], painted: 0, end: 0, right: 0 });
  const canvas = node.querySelector("canvas[data-settled]");
  const look = () => {
    if (meter.end && !meter.right && canvas?.dataset.settled === "true")
      requestAnimationFrame((now) => (meter.right ||= now));
  };
  const move = () => meter.moves.push(performance.now());
  const up = () => {
    meter.end = performance.now();
    meter.answered = Number(canvas?.dataset.answered);
    if (meter.painted >= meter.moves.at(-1)) look(); // else the last pose is not yet painted
  };
  document.addEventListener("pointermove", move, true);
  document.addEventListener("pointerup", up, true);
  const words = "[aria-live], [role=status]"; // for a screen reader, not a picture
  const spoken = ({ target }) => target.closest(words);
  const seen = new MutationObserver((changes) => {
    if (changes.every(spoken)) return;
    meter.painted = performance.now();
    look();
    requestAnimationFrame((now) => {
      if (meter.frames.at(-1) !== now) meter.frames.push(now);
    });
  });
  const what = { subtree: true, childList: true, attributes: true };
  seen.observe(node, { ...what, attributeFilter: ["data-painted", "src", "d", "href"] });
  window.unwatch = () => {
    document.removeEventListener("pointermove", move, true);
    document.removeEventListener("pointerup", up, true);
    seen.disconnect();
  };
}"""
# The middle of what one drags, on the page, and how far from it.
DISC = """(canvas) => {
  const box = canvas.getBoundingClientRect();
  const { sky, places } = canvas.dataset;
  if (sky) {
    const { x, y, side } = JSON.parse(sky);
    return [box.x + x + side / 2, box.y + y + side / 2, 0.45 * side];
  }
  if (places) {
    const { disc, places: [{ x, y }] } = JSON.parse(places);
    return [box.x + x + disc / 2, box.y + y + disc / 2, 0.4 * disc];
  }
  return [box.x + 110, box.y + 140, 50];
}"""


def path_of(page: Any, cell: Any, canvas: str | None) -> tuple[tuple[float, float], Any]:
    """Where the hand goes down, and where it is at a time in seconds."""
    if canvas is not None:
        x, y, far = page.evaluate(DISC, cell.locator(f"{canvas} canvas[tabindex]").element_handle())
        turn = lambda t: (x + far * math.cos(PACE * t), y - far * math.sin(PACE * t))  # noqa: E731
        return (x + far, y), turn
    box = cell.locator(".noUi-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    return (x, y), lambda t: (x + 200 * (1 - math.cos(PACE * t)), y)


def hand(url: str, at: Callable[[float], tuple[float, float]], seconds: float) -> None:
    """A mouse that moves 60 times a second, whether or not the page has seen its last movement.

    Playwright's own waits for an answer before it moves again, so that it, and not the page, would
    set the pace; this one speaks to the browser itself, and reads no answers before the end.
    """
    pages = json.load(urlopen(f"http://127.0.0.1:{DEBUG_PORT}/json"))
    target = next(one["webSocketDebuggerUrl"] for one in pages if one["url"] == url)
    speech = websocket.create_connection(target, suppress_origin=True)
    count, began = round(60 * seconds), time.perf_counter()
    for n in range(count):
        time.sleep(max(0.0, n / 60 - (time.perf_counter() - began)))
        x, y = at(time.perf_counter() - began)
        event = {"type": "mouseMoved", "button": "left", "buttons": 1, "x": x, "y": y}
        command = {"id": n + 1, "method": "Input.dispatchMouseEvent", "params": event}
        speech.send(json.dumps(command))
    while json.loads(speech.recv()).get("id") != count:
        pass
    speech.close()


def drag(page: Any, cell: Any, canvas: str | None, seconds: float) -> dict[str, Any]:
    """Drag for some seconds, wait until nothing changes, and say what was seen."""
    cell.scroll_into_view_if_needed()
    (x, y), at = path_of(page, cell, canvas)
    page.evaluate(WATCH, cell.locator(".jp-Cell-outputWrapper").element_handle())
    asked = cell.locator("canvas[data-answered]")
    before = int(asked.get_attribute("data-answered")) if asked.count() else None
    page.mouse.move(x, y)
    page.mouse.down()
    hand(page.url, at, seconds)
    page.mouse.up()
    count = -1
    while (frames := page.evaluate("() => window.meter.frames.length")) != count:
        count = frames
        time.sleep(1.5)
    meter = page.evaluate("() => { window.unwatch(); return window.meter; }")
    return {**meter, "answers": None if before is None else meter["answered"] - before}


def row_of(name: str, drags: list[dict[str, Any]]) -> str:
    seconds = sum(1e-3 * (seen["moves"][-1] - seen["moves"][0]) for seen in drags)
    during = moves = 0
    waits, lags = [], []
    for seen in drags:
        frames, end = seen["frames"], seen["moves"][-1]
        moves += len(seen["moves"])
        during += sum(seen["moves"][0] <= frame <= end for frame in frames)
        waits += [
            next((frame - move for frame in frames if frame >= move), math.inf)
            for move in seen["moves"]
        ]
        shown = seen["right"] or max(frames, default=math.nan)
        lags.append(max(0.0, shown - seen["end"]))
    late = sorted(waits)[min(len(waits) - 1, int(0.95 * len(waits)))]
    answers = [seen["answers"] for seen in drags]
    rate = "" if None in answers else f"{sum(answers) / seconds:.0f}"
    return (
        f"{name},{during / seconds:.0f},{statistics.median(waits):.0f},{late:.0f},"
        f"{statistics.median(lags):.0f},{max(lags):.0f},{rate},{moves / seconds:.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="of a drag")
    parser.add_argument("--drags", type=int, default=7)
    parser.add_argument("--only", default="", help="those with this in their name")
    arguments = parser.parse_args()
    kinds = {
        name: one
        for name, one in KINDS.items()
        if importlib.util.find_spec(one[1]) and arguments.only in name
    }
    folder = Path(tempfile.mkdtemp())
    write_notebook(folder / "all.ipynb", [BEGIN, *(source for source, _, _ in kinds.values())])
    with (
        lab_server(folder) as address,
        chromium(f"--remote-debugging-port={DEBUG_PORT}") as browser,
    ):
        page = browser.new_page(viewport={"width": 1200, "height": 1000}, reduced_motion="reduce")
        page.goto(f"{address}doc/tree/all.ipynb?reset", timeout=120_000)
        ready = "() => window.jupyterapp?.shell.currentWidget?.content?.activeCell"
        page.wait_for_function(ready, timeout=120_000)
        page.wait_for_function(f"() => {KERNEL}?.status === 'idle'", timeout=120_000)
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function(f"() => {KERNEL}.status === 'idle'", timeout=180_000)
        print(
            "widget,frames_s,wait_median_ms,wait_p95_ms,lag_ms,worst_lag_ms,answers_s,movements_s"
        )
        for n, (name, (_, _, canvas)) in enumerate(kinds.items(), 1):
            cell = page.locator(".jp-Notebook .jp-Cell").nth(n)
            cell.locator(f"{canvas} canvas[data-painted]" if canvas else ".noUi-handle").wait_for()
            drags = [drag(page, cell, canvas, arguments.seconds) for _ in range(arguments.drags)]
            print(row_of(name, drags), flush=True)
    print(f"# load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; not installed: "
          f"{', '.join(name for name in KINDS if name not in kinds) or 'none'}")  # fmt: skip


if __name__ == "__main__":
    main()
