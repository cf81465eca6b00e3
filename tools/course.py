"""Build the course for students, with solutions, for instructors and for Colab: ``make course``.

    python -m tools.course                  all into build/course
    python -m tools.course student --folder somewhere

The fourth, ``colab``, is the students' with a first cell that installs equivlab on Google Colab.

The notebooks are the one source. Cells are told apart by their tags: `attempt` (the blank of an
exercise), `solution`, and `claims` (asserts that hold the text to its word). What an instructor
should know stands in ``docs/instructor.md``, by notebook and part.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

import equivlab
from tools.student import write_student

ROOT = Path(__file__).resolve().parent.parent
PART = re.compile(r"^## (?:(\d+)\. )?(.+)$", re.MULTILINE)


def tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def solution(notebook: NotebookNode, name: str) -> None:
    """Unfold the solutions, and keep the outputs."""
    for cell in notebook.cells:
        if "solution" in tags(cell):
            cell.metadata.pop("jupyter", None)


def instructor(notebook: NotebookNode, name: str) -> None:
    """Unfold the solutions, put the notes behind each part's heading, and mark the slides."""
    solution(notebook, name)
    notes = instructor_notes()[name]
    cells = []
    for cell in notebook.cells:
        words = cell.source if cell.cell_type == "markdown" else ""
        headings, top = list(PART.finditer(words)), words.startswith("# ")
        kind = "slide" if headings or top else "fragment"
        cell.metadata["slideshow"] = {"slide_type": "skip" if "claims" in tags(cell) else kind}
        cells.append(cell)
        for part in [*(["0"] if top else []), *(heading[1] for heading in headings)]:
            if part in notes:
                note = nbformat.v4.new_markdown_cell(f"> **For the instructor.** {notes[part]}")
                note.id = f"instructor-{part}"
                note.metadata["slideshow"] = {"slide_type": "notes"}
                cells.append(note)
    notebook.cells = cells


def instructor_notes() -> dict[str, dict[str, str]]:
    """By notebook and part, 0 for the whole: what ``docs/instructor.md`` says."""
    text = (ROOT / "docs" / "instructor.md").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name, _, rest = section.partition("\n")
        parts = re.findall(r"^\*\*(?:Part (\d+)|Whole)\*\* (.+?)(?=\n\n|\Z)", rest, re.M | re.S)
        found[name] = {number or "0": " ".join(words.split()) for number, words in parts}
    return found


BUILDS: dict[str, Callable[[NotebookNode, str], None]] = {
    "solution": solution,
    "instructor": instructor,
}
KINDS = ("student", *BUILDS, "colab")
COLAB = """\
# Colab brings torch for its GPU: keep that very build, and add equivlab.
from importlib.metadata import version
from pathlib import Path

Path("kept.txt").write_text("".join(f"{name}=={version(name)}\\n" for name in ("torch", "numpy")))
%pip install --quiet --constraint kept.txt "equivlab[data,plotly,sphere]=={version}"
try:
    from google.colab import output

    output.enable_custom_widget_manager()
except ImportError:
    pass  # elsewhere widgets need no permission
"""


def build(kind: str, folder: Path) -> None:
    """Write one build: its notebooks, and the pages that they link to."""
    target = folder / kind
    write_student(ROOT, target, equivlab.__version__)
    for path in sorted((target / "notebooks").glob("*.ipynb")) if kind in BUILDS else []:
        notebook = nbformat.read(ROOT / "notebooks" / path.name, as_version=4)
        BUILDS[kind](notebook, path.stem)
        nbformat.validate(notebook)
        nbformat.write(notebook, path)
    for path in sorted((target / "notebooks").glob("*.ipynb")) if kind == "colab" else []:
        notebook = nbformat.read(path, as_version=4)
        cell = nbformat.v4.new_code_cell(
            COLAB.replace('=={version}"', f'=={equivlab.__version__}"')
        )
        cell.id = "colab"
        notebook.cells.insert(0, cell)
        nbformat.write(notebook, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kinds", nargs="*", default=KINDS, help=f"of {', '.join(KINDS)}")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "course")
    arguments = parser.parse_args()
    if unknown := set(arguments.kinds) - set(KINDS):
        parser.error(f"no build is called {', '.join(unknown)}; there are {', '.join(KINDS)}")
    for kind in arguments.kinds:
        build(kind, arguments.folder)
        print(arguments.folder / kind)


if __name__ == "__main__":
    main()
