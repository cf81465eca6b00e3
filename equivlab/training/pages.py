"""Pages that need nothing but themselves: tables, sentences and pictures in one HTML file."""

from __future__ import annotations

import base64
import html
import io
import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure_html", "paragraph_html", "table_html", "write_page", "write_whole"]

STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
 padding: 0 1rem; color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .2rem .7rem;
 border-bottom: 1px solid #ddd; text-align: left; font-variant-numeric: tabular-nums; }
img { max-width: 100%; } h2 { margin-top: 2rem; }"""
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>{style}</style></head><body><h1>{title}</h1>
{body}
</body></html>
"""


def paragraph_html(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def table_html(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of plain texts and numbers."""

    def row(cells: Sequence[object], tag: str) -> str:
        inside = "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells)
        return f"<tr>{inside}</tr>"

    lines = [row(head, "th"), *(row(cells, "td") for cells in rows)]
    return f"<table>{''.join(lines)}</table>"


def figure_html(figure: Figure, says: str) -> str:
    """A figure inside the page; `says` stands for it where it cannot be seen."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<img alt="{html.escape(says, quote=True)}" src="data:image/png;base64,{data}">'


def write_page(path: Path, title: str, body: Iterable[str]) -> Path:
    """Write a page, whole or not at all."""
    text = PAGE.format(title=html.escape(title), style=STYLE, body="\n".join(body))
    return write_whole(path, text)


def write_whole(path: Path, text: str) -> Path:
    """Write a text beside `path`, and only then put it there.

    Raises:
        OSError: it could not be written; what was there before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name[:100]}-{secrets.token_hex(4)}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return path
