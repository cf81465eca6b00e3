"""RotateSphere in a real browser: frames while the globe is dragged, and how late features are.

    python benchmarks/widget_sphere.py [--seconds 5] [--drags 12]

Headless Chromium, the kernel's side in a process of its own behind HTTP on this machine. The
mouse moves about 120 times a second. A drag's lag is the time from the last movement of the
mouse to the frame in which the features of that pose are painted; the backlog is how many
answers came after it (two at most: the one on its way, and the last pose). On a busy machine
the wall-clock columns say little; CPU milliseconds for each frame (all of Chromium, WebGL in
software included) and for each answer (the kernel's side) say what it takes.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
import torch
from browser import chromium
from playwright.sync_api import Page
from torch import nn

from tests.widgets.live_page import server_of

CANVAS = ".equivlab-sphere canvas[tabindex]"
WATCH = """() => {
  const canvas = document.querySelector(".equivlab-sphere canvas[tabindex]");
  canvas.addEventListener("pointermove", () => { window.moved = performance.now(); });
}"""
SETTLED = """() => new Promise((done) => {
  const canvas = document.querySelector(".equivlab-sphere canvas[tabindex]");
  const look = (now) => canvas.dataset.settled === "true"
    ? done(performance.now() - window.moved) : requestAnimationFrame(look);
  requestAnimationFrame(look);
})"""


def make(kind: str) -> Any:
    """The widget to measure: HEALPix nside 32, or an equiangular grid of bandwidth 30."""
    from equivlab.data.globes import globe_signals
    from equivlab.models.sphere import spherical_digit_cnn
    from equivlab.nn.sphere.healpix import HealpixToSphere
    from equivlab.widgets.globe.rotate_sphere import RotateSphere

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = spherical_digit_cnn()
    if kind == "equiangular":
        return RotateSphere(model, globe_signals(bandwidth=30))
    return RotateSphere(nn.Sequential(HealpixToSphere(1, 32, 30), model), globe_signals(nside=32))


def serve(kind: str, pipe: Any) -> None:
    server = server_of(make(kind))
    pipe.send(server.server_port)
    server.serve_forever()


def drag(page: Page, seconds: float) -> int:
    """Lead the globe round in a spiral; how many frames were painted."""
    box = page.locator(CANVAS).bounding_box()
    x, y = box["x"] + 160, box["y"] + 180
    painted = (
        "() => Number(document.querySelector('.equivlab-sphere canvas[tabindex]').dataset.painted)"
    )
    page.mouse.move(x, y)
    page.mouse.down()
    before, began = page.evaluate(painted), time.perf_counter()
    while (t := time.perf_counter() - began) < seconds:
        page.mouse.move(x + 110 * math.sin(2.1 * t + 0.01), y + 90 * math.sin(1.3 * t))
        time.sleep(0.004)
    frames = page.evaluate(painted) - before
    elapsed = time.perf_counter() - began
    page.mouse.up()
    return round(frames / elapsed)


def cpu_seconds() -> dict[bool, float]:
    """CPU time of the processes below this one: of Chromium (True) and of the kernel (False)."""
    used = {True: 0.0, False: 0.0}
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
            used["chrom" in child.name()] += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return used


def measure(page: Page, seconds: float, drags: int) -> str:
    page.evaluate(WATCH)
    count = f"(name) => Number(document.querySelector({CANVAS!r}).dataset[name])"
    painted, answered = page.evaluate(count, "painted"), page.evaluate(count, "answered")
    before = cpu_seconds()
    rate = drag(page, seconds)
    page.evaluate(SETTLED)
    after = cpu_seconds()
    painted = page.evaluate(count, "painted") - painted
    answered = page.evaluate(count, "answered") - answered
    frame = 1e3 * (after[True] - before[True]) / painted
    answer = 1e3 * (after[False] - before[False]) / answered
    lags, late = [], []
    for _ in range(drags):
        drag(page, 0.7)
        then = page.evaluate(count, "answered")
        lags.append(page.evaluate(SETTLED))
        late.append(page.evaluate(count, "answered") - then)
    load = psutil.getloadavg()[0] / (psutil.cpu_count() or 1)
    return (
        f"{rate} | {statistics.median(lags):.0f} | {max(lags):.0f} | {max(late)} | {frame:.0f} | "
        f"{answer:.0f} | {load:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--drags", type=int, default=12)
    arguments = parser.parse_args()
    print(
        "| input | frames a second while dragging | lag of features, median ms | worst ms | "
        "answers after the last movement | CPU ms a frame | CPU ms an answer | load per core |"
    )
    print("|---" * 8 + "|")
    spawn = multiprocessing.get_context("spawn")
    with chromium() as browser:
        for kind in ("HEALPix, nside 32", "equiangular"):
            here, there = spawn.Pipe()
            kernel = spawn.Process(target=serve, args=(kind, there), daemon=True)
            kernel.start()
            page = browser.new_page(viewport={"width": 1000, "height": 520})
            page.goto(f"http://127.0.0.1:{here.recv()}/")
            page.wait_for_selector(f"{CANVAS}[data-painted]")
            row = measure(page, arguments.seconds, arguments.drags)
            print(f"| {kind} | {row}", flush=True)
            page.close()
            kernel.terminate()


if __name__ == "__main__":
    main()
