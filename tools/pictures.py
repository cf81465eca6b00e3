"""Make the pictures of README and gallery again: ``python -m tools.pictures``, `make pictures`.

Each widget stands in a page in headless Chromium with its own Python side behind it, and what it
shows at its pose is saved to ``notebooks/images``.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.widgets.chromium import BROWSER
from tests.widgets.live_page import live
from tools.samples import SAMPLES

FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "images"
# Painted, with the answer of the kernel to the pose on show, in the widgets that ask one.
READY = """() => {
  const canvas = document.querySelector(".equivlab-view canvas[data-painted]");
  return canvas && canvas.dataset.settled !== "false" && canvas.dataset.live !== "false";
}"""

LAG = re.compile(r"\d ms behind")  # of the machine that draws: no part of a still


def picture(
    browser: Browser, name: str, path: Path, width: int = 1000, scheme: str = "light"
) -> None:
    """Save what the widget `name` shows in a page of some width."""
    with live(SAMPLES[name]()) as address:
        page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=scheme)
        page.goto(address + scheme)
        page.wait_for_function(READY)
        page.evaluate("() => new Promise(requestAnimationFrame)")
        lags = page.locator(".equivlab-view span", has_text=LAG)
        lags.evaluate_all("all => all.forEach((one) => { one.style.visibility = 'hidden'; })")
        page.locator(".equivlab-view").screenshot(path=path)
        page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(SAMPLES), help="by default all")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--width", type=int, default=1000)
    parser.add_argument("--dark", action="store_true")
    arguments = parser.parse_args()
    if strange := set(arguments.names) - set(SAMPLES):
        parser.error(f"no pictures: {', '.join(sorted(strange))}; there are {', '.join(SAMPLES)}")
    if BROWSER is None:
        raise SystemExit("This needs Chromium; on Debian: apt install chromium")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        for name in arguments.names:
            path = arguments.folder / f"{name}.png"
            picture(browser, name, path, arguments.width, "dark" if arguments.dark else "light")
            print(path)
        browser.close()


if __name__ == "__main__":
    main()
