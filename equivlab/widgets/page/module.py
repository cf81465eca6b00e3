"""The JavaScript of a widget: its own file with all that this imports, as one module.

anywidget takes one module. The files stay plain, so that a browser, node and a type checker can
read each by itself; only the lines that import and the word ``export`` go when they are joined.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["SOURCES", "page_module", "sources_of"]

SOURCES = Path(__file__).parent.parent
IMPORT = re.compile(r'^import \{[^}]*\} from "(\.[^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def sources_of(name: str) -> list[Path]:
    """The file `name` of ``equivlab/widgets`` and all it imports, each before those that use it."""
    found: dict[Path, None] = {}

    def take(path: Path) -> None:
        if path in found:
            return
        for inner in IMPORT.findall(path.read_text("utf-8")):
            take((path.parent / inner).resolve())
        found[path] = None

    take((SOURCES / name).resolve())
    return list(found)


def page_module(name: str) -> str:
    """The module of the page `name`, for example ``image/rotate_image.js``."""
    parts = (path.read_text("utf-8") for path in sources_of(name))
    return "\n".join(EXPORT.sub("", IMPORT.sub("", part)) for part in parts)
