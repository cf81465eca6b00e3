"""The browser of the widget tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.widgets.chromium import BROWSER
from tests.widgets.turning_page import TurningPage, turning_page


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


@pytest.fixture
def open_turning_page(browser: Any) -> Iterator[Callable[..., TurningPage]]:
    """Opens a `turning_page` until the end of the test."""
    with ExitStack() as pages:
        yield lambda *what, **how: pages.enter_context(turning_page(browser, *what, **how))
