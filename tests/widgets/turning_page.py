"""An exported page with a widget that turns pictures, and what a reader can do with it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


class TurningPage:
    """The page in a browser, offline."""

    def __init__(self, page: Any, canvas: str, complaints: list[str], dark: bool) -> None:
        self.page = page
        self.dark = dark
        self.complaints = complaints
        self.canvas = page.locator(canvas)

    def settle(self) -> None:
        """Wait until what was asked for has been painted."""
        self.page.evaluate(
            "() => new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)))"
        )

    def look(self) -> np.ndarray:
        self.settle()
        return self.picture(self.canvas.screenshot())

    @staticmethod
    def picture(png: bytes) -> np.ndarray:
        """A screenshot, from 0 to 1."""
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) / 255

    @property
    def angle(self) -> int:
        self.settle()
        return int(self.canvas.get_attribute("aria-valuenow"))

    @property
    def pose(self) -> str:
        self.settle()
        return str(self.canvas.get_attribute("aria-valuetext"))

    def press(self, key: str) -> None:
        self.canvas.focus()
        self.page.keyboard.press(key)

    def drag(
        self, degrees: int, middle: tuple[float, float], radius: float, steps: int = 12
    ) -> None:
        """Take the point to the right of `middle`, in the canvas, round by an angle."""
        box = self.canvas.bounding_box()
        x, y = box["x"] + middle[0], box["y"] + middle[1]
        self.page.mouse.move(x + radius, y)
        self.page.mouse.down()
        for n in range(1, steps + 1):
            a = np.deg2rad(degrees * n / steps)
            self.page.mouse.move(x + radius * np.cos(a), y - radius * np.sin(a))
        self.page.mouse.up()

    def save(self) -> Image.Image:
        """The picture that the PNG button saves."""
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name="PNG").click()
        with Image.open(download.value.path()) as picture:
            return picture.copy()

    def check_edges(self, width: int) -> None:
        """Everything stands in the window, and no ink runs into the frame."""
        box = self.canvas.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        picture = self.look()
        edge = np.concatenate([picture[:3].reshape(-1, 3), picture[-3:].reshape(-1, 3)])
        assert np.ptp(edge, axis=0).max() < 0.1
        assert (edge.mean() < 0.3) == self.dark


@contextmanager
def turning_page(
    browser: Any,
    file: Path,
    canvas: str,
    width: int = 1100,
    theme: str = "light",
    height: int = 1000,
    **options: Any,
) -> Iterator[TurningPage]:
    """The page `file`, opened until the end of the block; it must not have complained by then."""
    size = {"width": width, "height": height}
    page = browser.new_page(viewport=size, offline=True, **options)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("requestfailed", lambda request: complaints.append(request.url[:100]))
    page.goto((file if theme == "light" else file.with_name("dark.html")).as_uri())
    page.wait_for_selector(f"{canvas}[data-painted]")
    yield TurningPage(page, canvas, complaints, theme == "dark")
    page.close()
    assert complaints == []
