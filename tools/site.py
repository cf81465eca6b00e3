"""Build the site of the documentation: ``make docs``.

    python -m tools.site                 into build/site; a warning is an error
    python -m tools.site --folder there
    python -m tools.site --stills        quickly, with pictures instead of widgets

The pages of ``docs/`` and the notebooks keep their places beside each other, so that one link
serves GitHub, Jupyter and the site. Notebooks carry their outputs, and are run for their widgets
alone, which turn on the pages. The site loads nothing from a network.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import itertools
import pydoc
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

import nbformat

import equivlab
from tools import diagram, sheet
from tools.alive import Widgets, key_of, widgets_of
from tools.course import tags

ROOT = Path(__file__).resolve().parent.parent
# Rooms whose names are in the reference; the others have no façade for users.
MODULES = (
    *("groups", "so3", "fields", "nn", "equivariance", "models", "transfer", "weights"),
    *("training", "data", "projection", "sphere", "plots", "widgets", "course"),
)
# What stands below the names of a room: classes that they take or give, and modules whose
# introduction they point to.
INNER = {
    "fields": ("irreps.Irreps", "irreps.Irrep"),
    "nn": (
        "sphere.base.SphericalConv",
        "space.neighbors.Neighbors",
        "planar.conv",
        "space.conv",
        "space.kernel",
    ),
    "transfer": ("twin.report.Row",),
    "weights": ("likeness",),
    "data": (
        *("lenses.observation.Camera", "lenses.recipes.Lens", "lenses.recipes.Source"),
        *("lenses.recipes.Substructure", "lenses.physics.Cosmology"),
        *("lenses.physics.einstein_radius", "shapes.procedural.LabelledShapes"),
        *("shapes.rotation.interpolation_error", "sets.base.ImageSet", "sets.batches.Batches"),
        *("sets.batches.TensorImages", "sets.plans.Source", "sets.lock.InUseError"),
    ),
    "sphere": ("grid", "s2", "so3_transform", "spin", "healpix.rule", "wigner"),
    "plots": ("interactive.InteractiveFigure",),
    "widgets": ("page.images.as_images", "lens.sky.Pose", "train.recording.Record"),
}
# A badge is a picture from elsewhere; on the site a word does.
BADGE = re.compile(r"\[!\[(Binder|Colab)\]\(.*?\)\]\((.*?)\)")
# How a notebook unfolds a solution; a page says it on the bar itself.
DOTS = re.compile(r"\s+\(click on the bar with three dots\)")
FOLD = {"code_prompt_show": "Show a solution", "code_prompt_hide": "Hide the solution"}
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TITLE = re.compile(r"(?:title|label|suptitle\()=?\"([^\"{]+)\"")
# What themes leave out for those who listen to a page or use it by keys.
MENDED = {
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<summary aria-label="Toggle hidden content">': "<summary>",  # its own words say more
    "<pre>": '<pre tabindex="0">',  # long lines scroll, by keys too
}
REDIRECT = '<!doctype html><meta charset="utf-8"><title>equivlab</title>' + (
    '<meta http-equiv="refresh" content="0; url=docs/index.html">'
    '<a href="docs/index.html">equivlab</a>\n'
)


def lay_out(source: Path, widgets: Callable[[Path], Widgets], rooms: Sequence[str]) -> None:
    """Put what Sphinx reads into one folder.

    Args:
        source: the folder.
        widgets: gives the live widgets of a notebook; where it gives none, a still is shown.
        rooms: that the reference describes.
    """
    shutil.copytree(ROOT / "docs", source / "docs", ignore=shutil.ignore_patterns("notes"))
    for path in (source / "docs").glob("*.md"):
        path.write_text(diagram.drawn(path.read_text(encoding="utf-8")), encoding="utf-8")
    if sheet.write(source / "docs" / "cheat-sheet.pdf", equivlab.__version__):
        with (source / "docs" / "cheat-sheet.md").open("a", encoding="utf-8") as page:
            page.write("\n[This sheet as one page to print](cheat-sheet.pdf) (PDF)\n")
    shutil.copytree(ROOT / "notebooks" / "images", source / "notebooks" / "images")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells = [cell for cell in notebook.cells if "claims" not in tags(cell)]
        live = widgets(path)
        part = ""
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = BADGE.sub(r"[Open this notebook on \1](\2)", cell.source)
                cell.source = cell.source.replace(") [Open this", ") · [Open this")
                cell.source = DOTS.sub("", cell.source)
                part = (HEADING.findall(cell.source) or [part])[-1]
            elif cell.outputs:
                cell.metadata["mystnb"] = {"image": {"alt": alternative(cell, part)}}
                for output in cell.outputs:
                    if found := live.pop(key_of(cell, output), ""):
                        output.data = {"text/html": found}
            if "solution" in tags(cell):
                cell.metadata["tags"].append("hide-cell")
                cell.metadata.setdefault("mystnb", {}).update(FOLD)
        if live:
            raise ValueError(f"{path.name} is stored without {', '.join(live)}; save it again")
        nbformat.write(notebook, source / "notebooks" / path.name)
    write_reference(source / "docs" / "api", rooms)


def alternative(cell: nbformat.NotebookNode, part: str) -> str:
    """What stands for a picture where it cannot be seen: the widget, or the figure's titles."""
    shown = [str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs]
    widgets = [text for text in shown if text and not text.startswith("<Figure")]
    if widgets:
        return f"A still of {widgets[-1]}"
    titles = TITLE.findall(cell.source)
    return f"Figure in “{part}”" + (f": {'; '.join(titles)}" if titles else "")


def write_reference(folder: Path, rooms: Sequence[str]) -> None:
    """A page for each room: the names of its façade, and what it points to."""
    folder.mkdir()
    lines = ["# Reference", "", "Every public name, by room.", "", "```{toctree}", ":maxdepth: 1"]
    (folder / "index.md").write_text("\n".join([*lines, "", *rooms, "```", ""]), encoding="utf-8")
    for name in rooms:
        title = f"equivlab.{name}"
        text = [title, "=" * len(title), "", f".. automodule:: {title}", ""]
        text += constants(title)
        if name in INNER:
            text += ["What they take, give and point to", "-" * 33, ""]
        for inner in INNER.get(name, ()):
            text += described(f"{title}.{inner}")
        (folder / f"{name}.rst").write_text("\n".join(text), encoding="utf-8")


def constants(room: str) -> Iterator[str]:
    """Lines for public values that are defined further in, where autodoc does not find them."""
    module = importlib.import_module(room)
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        inner = (sys.modules[each] for each in sorted(sys.modules) if each.startswith(f"{room}."))
        said = [words for each in inner if (words := comment_of(name, each))]
        if said and not callable(value):
            yield from (f".. py:data:: {name}", f"   :value: {value!r}", "")
            yield from (f"   {said[0]}", "")


def comment_of(name: str, module: ModuleType) -> str:
    """What stands below the line that defines a value, in one sentence; empty where it is not."""
    body = ast.parse(inspect.getsource(module)).body
    for line, below in itertools.pairwise(body):
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == name:
            words = below.value if isinstance(below, ast.Expr) else None
            return str(words.value) if isinstance(words, ast.Constant) else ""
    return ""


def described(path: str) -> list[str]:
    """The directive for a class, for a function, or for the introduction of a module."""
    found = pydoc.locate(path)
    if inspect.ismodule(found):
        return [path, "~" * len(path), "", f".. py:module:: {path}", "", inspect.getdoc(found), ""]
    kind = "exception" if path.endswith("Error") else "class"
    return [f".. auto{kind if isinstance(found, type) else 'function'}:: {path}", ""]


def stills(path: Path) -> Widgets:
    """No live widget."""
    return {}


def build(
    folder: Path, widgets: Callable[[Path], Widgets] = stills, rooms: Sequence[str] = MODULES
) -> int:
    """Sphinx's exit status; `widgets` and `rooms` as in `lay_out`."""
    source = folder.with_name(folder.name + "-source")
    shutil.rmtree(source, ignore_errors=True)
    lay_out(source, widgets, rooms)
    command = [sys.executable, "-m", "sphinx", "--builder", "html", "--fail-on-warning"]
    command += ["--keep-going", "--quiet", "--conf-dir", str(source / "docs")]
    done = subprocess.run([*command, str(source), str(folder)], check=False)
    for page in folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for before, after in MENDED.items():
            text = text.replace(before, after)
        page.write_text(text, encoding="utf-8")
    (folder / "index.html").write_text(REDIRECT, encoding="utf-8")
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--stills", action="store_true", help="run no notebook")
    given = parser.parse_args()
    folder = given.folder.resolve()
    cache = ROOT / "build" / "widgets"
    status = build(folder, stills if given.stills else partial(widgets_of, cache=cache))
    if status == 0:
        print(f"equivlab {equivlab.__version__}: {folder / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
