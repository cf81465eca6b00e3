"""What the tests in headless Chromium share: where it is, their marks, an exported page."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbconvert.preprocessors import ExecutePreprocessor

from equivlab.widgets.page.export import OfflineHTMLExporter

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
    """A notebook of these cells, run and exported to one HTML file; beside it one in dark."""
    notebook = nbformat.v4.new_notebook(cells=cells)
    ExecutePreprocessor(timeout=300).preprocess(notebook)
    for theme, name in (("dark", "dark.html"), ("light", "page.html")):
        exporter = OfflineHTMLExporter(theme=theme)
        page, _ = exporter.from_notebook_node(copy.deepcopy(notebook))
        (folder / name).write_text(page, encoding="utf-8")
    return folder / "page.html"
