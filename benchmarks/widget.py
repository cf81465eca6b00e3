"""Frames a second while RotateImage is dragged, and what is left to paint after the release.

    python benchmarks/widget.py --seconds 5

A notebook with the widget is run, exported to one HTML file, and opened in headless Chromium
without a network; the pointer goes round the input as fast as the browser takes it. The page
counts its own paints (`data-painted`).
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from browser import chromium
from nbconvert.preprocessors import ExecutePreprocessor
from playwright.sync_api import Page

from equivlab.widgets.page.export import OfflineHTMLExporter

SOURCE = """
from equivlab.data import sky_images
from equivlab.groups import P4, P4M
from equivlab.models import smooth_network
from equivlab.widgets import RotateImage
RotateImage(smooth_network({group}), sky_images(3), compare=smooth_network(None))
"""


def export(group: str, folder: Path) -> Path:
    """A page with the widget in it."""
    cell = nbformat.v4.new_code_cell(SOURCE.format(group=group))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    ExecutePreprocessor(timeout=300).preprocess(notebook)
    page, _ = OfflineHTMLExporter().from_notebook_node(notebook)
    path = folder / f"{group}.html"
    path.write_text(page, encoding="utf-8")
    return path


def measure(page: Page, seconds: float) -> dict[str, Any]:
    """Drag round the input for `seconds`; paints a second, and those that came too late."""
    canvas = page.locator(".equivlab-rotate > canvas")
    box = canvas.bounding_box()
    assert box is not None
    painted = lambda: int(canvas.get_attribute("data-painted") or 0)  # noqa: E731
    x, y, radius = box["x"] + 110, box["y"] + 125, 70
    page.mouse.move(x + radius, y)
    page.mouse.down()
    before, started, angle = painted(), time.perf_counter(), 0.0
    while time.perf_counter() - started < seconds:
        angle += math.radians(4)
        page.mouse.move(x + radius * math.cos(angle), y - radius * math.sin(angle))
    paints, took = painted() - before, time.perf_counter() - started
    page.mouse.up()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    next_frame = painted()
    page.wait_for_timeout(500)
    return {"frames a second": paints / took, "paints after release": painted() - next_frame}


def main() -> None:
    """Measure P4 and P4M and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()
    print("| group | frames a second while dragging | paints later than a frame after release |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for group in ("P4", "P4M"):
            page = browser.new_page(viewport={"width": 1200, "height": 1000}, offline=True)
            page.goto(export(group, Path(folder)).as_uri())
            page.wait_for_selector(".equivlab-rotate > canvas[data-painted]")
            result = measure(page, arguments.seconds)
            late = result["paints after release"]
            print(f"| {group} | {result['frames a second']:.0f} | {late} |", flush=True)


if __name__ == "__main__":
    main()
