"""The browser of the widget tests, and the pages that it opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.widgets.chromium import BROWSER, exported_page
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


@pytest.fixture(scope="module")
def page_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code `SOURCE` of the test module, run in a notebook and exported to one HTML file."""
    cells = [
        nbformat.v4.new_markdown_cell("# A page"),
        nbformat.v4.new_code_cell(request.module.SOURCE),
        nbformat.v4.new_code_cell("1 + 1"),
    ]
    return exported_page(cells, tmp_path_factory.mktemp("page"))


@pytest.fixture
def opened(
    request: pytest.FixtureRequest, browser: Any, page_file: Path
) -> Iterator[Callable[..., TurningPage]]:
    """Opens that file until the end of the test; the widget's canvas is the module's `CANVAS`."""
    with ExitStack() as pages:
        yield lambda *size, **options: pages.enter_context(
            turning_page(browser, page_file, request.module.CANVAS, *size, **options)
        )
