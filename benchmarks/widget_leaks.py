"""What stays behind of widgets: 2,000 updates and 200 times shown and closed.

    python benchmarks/widget_leaks.py [--updates 2000] [--cycles 200] [names]

Each widget of `tools.samples` in a page in headless Chromium, its Python side behind HTTP in this
process. After a first tenth, which fills caches, the page's nodes, listeners and heap are counted
after garbage collection, and again at the end; so are the kernel's traced bytes, with as many
widgets made and closed in Python (`--makes`). Flat means: the second numbers are the first.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from browser import chromium

from tests.widgets.live_page import live
from tools.samples import SAMPLES

UPDATE = """async ([from, to]) => {
  const [name] = ["rotation", "angle_deg", "frame"].filter((one) => model.get(one) !== undefined);
  const turns = (n) => {
    const [c, s] = [Math.cos(n / 9), Math.sin(n / 9)];
    return model.get("rotation")?.length === 9 ? [c, -s, 0, s, c, 0, 0, 0, 1] : [c, s, 0, 0];
  };
  for (let n = from; n < to; n++) {
    if (name === undefined) model.set("mirror", n % 2 === 0);
    else model.set(name, name === "rotation" ? turns(n) : name === "frame" ? n % 7 : (5 * n) % 360);
    await new Promise(requestAnimationFrame);
  }
}"""
CYCLES = """async (count) => {
  for (let n = 0; n < count; n++) {
    const place = document.body.appendChild(document.createElement("div"));
    const shut = await window.again(place);
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    await shut();
    place.remove();
  }
}"""


class Counts:
    """What the page and this process hold now."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.tool = page.context.new_cdp_session(page)
        self.tool.send("HeapProfiler.enable")

    def now(self) -> dict[str, float]:
        # A question that is on its way keeps its view until the answer comes.
        self.page.wait_for_function("() => window.open_questions === 0")
        self.page.wait_for_timeout(1000)
        for _ in range(3):
            self.tool.send("HeapProfiler.collectGarbage")
        found = self.tool.send("Memory.getDOMCounters")
        gc.collect()
        heap = self.tool.send("Runtime.getHeapUsage")["usedSize"]
        return {
            "nodes": found["nodes"],
            "listeners": found["jsEventListeners"],
            "heap_MB": round(heap / 1e6, 2),
            "kernel_MB": round(tracemalloc.get_traced_memory()[0] / 1e6, 2),
        }


def growth(count: Counts, act: Callable[[int, int], Any], times: int) -> dict[str, str]:
    """Before and after, a first tenth left out."""
    act(0, times // 10)
    before = count.now()
    act(times // 10, times)
    after = count.now()
    return {name: f"{before[name]} -> {after[name]}" for name in before}


def rows_of(name: str, page: Any, times: argparse.Namespace) -> dict[str, dict[str, str]]:
    """Of one widget in a page what grows by updates, by views, and by widgets in Python."""
    count = Counts(page)
    acts: dict[str, tuple[Callable[[int, int], Any], int]] = {
        "updates": (lambda a, b: page.evaluate(UPDATE, [a, b]), times.updates),
        "cycles": (lambda a, b: page.evaluate(CYCLES, b - a), times.cycles),
        "made": (lambda a, b: _make(name, b - a), times.makes),
    }
    return {what: growth(count, act, most) for what, (act, most) in acts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(SAMPLES))
    parser.add_argument("--updates", type=int, default=2000)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--makes", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tracemalloc.start()
    print("widget,what,nodes,listeners,heap_MB,kernel_MB")
    for name in arguments.names:
        widget = SAMPLES[name]()
        with live(widget) as address, chromium() as browser:
            page = browser.new_page(viewport={"width": 1000, "height": 900})
            page.set_default_timeout(0)
            page.goto(address)
            page.wait_for_selector(".equivlab-view canvas[data-painted]")
            for what, row in rows_of(name, page, arguments).items():
                print(",".join([name, what, *row.values()]), flush=True)
        widget.close()


def _make(name: str, count: int) -> None:
    for _ in range(count):
        SAMPLES[name]().close()


if __name__ == "__main__":
    main()
