"""The browser of the widget tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.widgets.chromium import BROWSER


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, one for each test module."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()
