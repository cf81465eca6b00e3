"""What the tests in headless Chromium share: where it is, their marks, an exported page."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbconvert.preprocessors import ExecutePreprocessor

from equivlab.widgets.export import OfflineHTMLExporter

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
IN_BROWSER = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed"),
]


def in_browser(test: Callable[..., None]) -> Callable[..., None]:
    """Mark one test, in a module whose other tests need no browser."""
    for mark in IN_BROWSER:
        test = mark(test)
    return test


def exported_page(cells: list[nbformat.NotebookNode], folder: Path) -> Path:
    """A notebook of these cells, run and exported to one HTML file."""
    notebook = nbformat.v4.new_notebook(cells=cells)
    ExecutePreprocessor(timeout=300).preprocess(notebook)
    page, _ = OfflineHTMLExporter().from_notebook_node(notebook)
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    return path
