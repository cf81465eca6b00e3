"""The JavaScript of a widget: what all share, then its own files, in one module."""

from __future__ import annotations

from pathlib import Path

__all__ = ["page_module"]


def page_module(*names: str) -> str:
    """``canvas_view.js`` and the files `names` of this folder, one after the other."""
    here = Path(__file__).parent
    return "\n".join((here / name).read_text("utf-8") for name in ("canvas_view.js", *names))
