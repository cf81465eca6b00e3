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
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from equivlab.data import furniture
from equivlab.models import PlainCNN3d, PointNetwork, SteerableCNN3d
from equivlab.widgets import RotateShape
from tests.widgets.shape_page import kernel_of, shape_page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CANVAS = ".equivlab-shape .stage canvas:last-child"
ASK = """<script>window.kernel = async (content) => (await fetch("/", {
  method: "POST", body: JSON.stringify(content) })).json();</script>"""
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
    steerable, plain = SteerableCNN3d(6), PlainCNN3d(6)
    layers = {"layer": "features.2", "compare_layer": "features.2"}
    return {
        "voxels 24³, steerable and plain": RotateShape(steerable, grids, plain, **layers),
        "256 points": RotateShape(PointNetwork(6, cutoff=0.4), clouds, layer="gates.1"),
    }


@contextmanager
def served(widget: RotateShape) -> Iterator[tuple[str, list[float]]]:
    """The page's address on this machine, and the CPU seconds of each answer."""
    answer, seconds = kernel_of(widget), []
    page = shape_page(widget).replace('<script type="module">', ASK + '<script type="module">')

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(page.encode(), "text/html; charset=utf-8")

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            started = time.thread_time()
            found = answer(content)
            seconds.append(time.thread_time() - started)
            self.reply(json.dumps(found).encode(), "application/json")

        def reply(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", seconds
    finally:
        server.shutdown()


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
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        raise SystemExit("This benchmark needs Chromium; on Debian: apt install chromium")
    print(
        "| shapes | frames a second while turned | answers a second | CPU ms of an answer | "
        "questions open at most | paints in the second after release |"
    )
    print("|---|---|---|---|---|---|")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path,
            args=["--no-sandbox", "--disable-background-networking"],
        )
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
        browser.close()


if __name__ == "__main__":
    main()
