"""Frames a second while RotateShape is turned, with a network answering, and its answers.

    python benchmarks/widget_shape.py --seconds 5

The widget stands in a page in headless Chromium, without a network. What the page asks is
answered by the widget's own Python side, in a thread of this process. The page itself moves the
pointer, once for each of its frames, and counts its own paints (`data-painted`) and the answers
that came (`data-answers`).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from browser import chromium
from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from equivlab.data import furniture
from equivlab.models import PlainCNN3d, PointNetwork, SteerableCNN3d
from equivlab.widgets import RotateShape
from tests.widgets.live_page import live

CANVAS = ".equivlab-shape .stage canvas:last-child"
TURN = """(seconds) => new Promise((done) => {
  const canvas = document.querySelector(CANVAS), box = canvas.getBoundingClientRect();
  const painted = () => Number(canvas.dataset.painted);
  const answers = () => Number(canvas.dataset.answers);
  const move = (kind, x, y) => canvas.dispatchEvent(new PointerEvent(kind,
    { pointerId: 1, clientX: box.left + x, clientY: box.top + y, bubbles: true }));
  canvas.setPointerCapture = () => {};
  move("pointerdown", 220, 150);
  const before = [painted(), answers()], started = performance.now();
  let angle = 0, frames = 0;
  const step = () => {
    angle += 0.06;
    frames += 1;
    move("pointermove", 120 + 100 * Math.cos(angle), 150 + 100 * Math.sin(angle));
    const took = (performance.now() - started) / 1000;
    if (took < seconds) return requestAnimationFrame(step);
    const counts = [painted() - before[0], answers() - before[1]];
    move("pointerup", 220, 150);
    return requestAnimationFrame(() => {
      const last = painted();
      setTimeout(() => done({ paints: counts[0] / took, answers: counts[1] / took,
        late: painted() - last, most: window.most_open }), 1000);
    });
  };
  step();
})""".replace("CANVAS", json.dumps(CANVAS))


def widgets() -> dict[str, RotateShape]:
    """Voxels beside a plain network, and points."""
    torch.manual_seed(0)
    grids = furniture(2, size=24).x
    clouds = furniture(2, "points", points=256).x
    steerable, plain = SteerableCNN3d(classes=6), PlainCNN3d(classes=6)
    layers = {"layer": "features.2", "compare_layer": "features.2"}
    return {
        "voxels 24³, steerable and plain": RotateShape(steerable, grids, plain, **layers),
        "256 points": RotateShape(PointNetwork(classes=6, cutoff=0.4), clouds, layer="gates.1"),
    }


@contextmanager
def served(widget: RotateShape) -> Iterator[tuple[str, list[float]]]:
    """The page's address on this machine, and the CPU seconds of each answer."""
    ask, seconds = widget.ask, []

    def timed(*question: Any) -> Any:
        started = time.thread_time()
        found = ask(*question)
        seconds.append(time.thread_time() - started)
        return found

    widget.ask = timed
    with live(widget) as address:
        yield address, seconds


def measure(page: Page, seconds: float, runs: int) -> dict[str, float]:
    """Medians over `runs` of turning for some seconds."""
    found = [page.evaluate(TURN, seconds) for _ in range(runs)]
    return {key: statistics.median(one[key] for one in found) for key in found[0]}


def main() -> None:
    """Measure voxels and points and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| shapes | frames a second while turned | answers a second | CPU ms of an answer | "
        "questions open at most | paints in the second after release |"
    )
    print("|---|---|---|---|---|---|")
    with chromium() as browser:
        for name, widget in widgets().items():
            with served(widget) as (address, spent):
                page = browser.new_page(viewport={"width": 1000, "height": 900})
                page.goto(address)
                page.wait_for_selector(f"{CANVAS}[data-live=true]")
                result = measure(page, arguments.seconds, arguments.runs)
                page.close()
            print(
                f"| {name} | {result['paints']:.0f} | {result['answers']:.0f} | "
                f"{1000 * statistics.median(spent):.0f} | {result['most']:.0f} | "
                f"{result['late']:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
