"""The widgets of a notebook as HTML that lives without a kernel and a network, for the site.

A notebook is run once for this. What it gives is kept in ``build/widgets`` until the notebook or
the package changes. Only the widgets come from that run: a page shows the numbers and figures that
are stored, which the tests compare.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from equivlab.plots.interactive import library_html
from equivlab.widgets.page.export import stored_widgets
from equivlab.widgets.page.html import widget_html

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 7_000_000  # of all widgets of a page; it has 8 MB with its pictures
ATLASES = ("_maps", "_compare_maps", "_pictures")  # one image after the other
LIVE = """<div id="still-{identity}" class="equivlab-still">
<img alt="{alt}" src="data:image/png;base64,{still}">
<p>A still picture; this browser does not run its page.</p></div>
{widget}
{note}
"""
SHOWN = 'document.getElementById("still-{identity}").remove();'

Widgets = dict[str, str]  # HTML, by the cell and the widget's words


def key_of(cell: NotebookNode, output: NotebookNode) -> str:
    """What names a widget in the stored notebook and in a run of it."""
    return f"{cell.id} {output.get('data', {}).get('text/plain', '')}"


def widgets_of(path: Path, cache: Path) -> Widgets:
    """The widgets of a notebook: kept ones, or those of a run."""
    kept = cache / f"{path.stem}-{digest(path)}.json"
    if not kept.exists():
        notebook = nbformat.read(path, as_version=4)
        where = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, timeout=3600, store_widget_state=True, resources=where).execute()
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob(f"{path.stem}-*"):
            old.unlink()
        part = kept.with_suffix(".part")
        part.write_text(json.dumps(alive(notebook)), encoding="utf-8")
        part.replace(kept)
    found: Widgets = json.loads(kept.read_text(encoding="utf-8"))
    return found


def digest(path: Path) -> str:
    """Changes with the code of the notebook, and with any file of the package."""
    text = hashlib.sha256(Path(__file__).read_bytes())
    for cell in nbformat.read(path, as_version=4).cells:
        text.update(cell.source.encode() if cell.cell_type == "code" else b"")
    for name in ("py", "js", "css"):
        for file in sorted((ROOT / "equivlab").rglob(f"*.{name}")):
            text.update(file.read_bytes())
    return text.hexdigest()[:16]


@dataclass(frozen=True)
class Shown:
    """A widget as a run left it: its values, its bytes, its still, and how many images it had."""

    values: dict[str, Any]
    buffers: list[dict[str, Any]]
    still: str
    all_images: int

    @property
    def images(self) -> int:
        """How many images it turns, where each has frames of its own; else 1."""
        atlas = any(one["path"] == [ATLASES[0]] for one in self.buffers)
        return int(self.values.get("_spec", {}).get("images", 1)) if atlas else 1

    def first(self, count: int) -> Shown:
        """The same with its first images alone."""
        cut = []
        for one in self.buffers:
            raw = base64.b64decode(one["data"])
            if one["path"][-1] in ATLASES:
                raw = raw[: len(raw) // self.images * count]
            cut.append({"path": one["path"], "data": base64.b64encode(raw).decode()})
        spec = {**self.values["_spec"], "images": count}
        return replace(self, values={**self.values, "_spec": spec, "image": 0}, buffers=cut)


def alive(notebook: NotebookNode, most: int = MOST_BYTES) -> Widgets:
    """The widgets of a notebook that was run with their states, in `most` bytes together.

    Raises:
        ValueError: they are larger, even those of many images with one each.
    """
    found = dict(shown(notebook))
    pages = {key: page(key, each) for key, each in found.items()}
    for key in [key for key, each in found.items() if each.values.get("_library")][:1]:
        pages[key] = library_html() + pages[key]  # once for all figures of plotly
    sizes = {key: len(text) for key, text in pages.items()}
    counts = {key: each.images for key, each in found.items()}
    while sum(sizes.values()) > most and max(counts.values()) > 1:
        key = max(counts, key=lambda each: (counts[each] > 1) * sizes[each])
        counts[key] -= 1
        sizes[key] = len(pages[key]) * counts[key] // found[key].images
    for key, count in counts.items():
        if count < found[key].images:
            pages[key] = page(key, found[key].first(count))
    if (size := sum(map(len, pages.values()))) > 1.1 * most:
        raise ValueError(
            f"the widgets take {size / 1e6:.1f} MB, more than {most / 1e6:.1f}; give the notebook "
            "fewer of them, or fewer frames"
        )
    return pages


def shown(notebook: NotebookNode) -> Iterator[tuple[str, Shown]]:
    """Each view of a widget of ours, by its key."""
    for _, cell, output, model in stored_widgets(notebook):
        still = "".join(output["data"].get("image/png", "").split())
        each = Shown(model["state"], model.get("buffers", []), still, 1)
        yield key_of(cell, output), replace(each, all_images=each.images)


def page(key: str, widget: Shown) -> str:
    """One widget as HTML: its still until it lives, and a line where images were left out."""
    identity = hashlib.sha256(key.encode()).hexdigest()[:12]
    note = ""
    if widget.images < widget.all_images:
        these = "the first" if widget.images == 1 else f"the first {widget.images}"
        note = f"<p>On this page: {these} of {widget.all_images} images.</p>"
    then = SHOWN.format(identity=identity)
    return LIVE.format(
        identity=identity,
        alt=html.escape(f"A still of {key.partition(' ')[2]}"),
        still=widget.still,
        widget=widget_html(identity, widget.values, widget.buffers, then=then),
        note=note,
    )
