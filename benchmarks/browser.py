"""A headless Chromium for the benchmarks of the widgets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """The browser of this machine.

    Args:
        options: for its command line.

    Raises:
        SystemExit: there is none.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise SystemExit("This benchmark needs Chromium; on Debian: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-background-networking", *options],
        )
        try:
            yield browser
        finally:
            browser.close()
