"""What students get of a notebook, and of the course: no solution, no output.

Where the text asks them to predict, the cell after it shows nothing before they have.

It needs the standard library alone: the build of a wheel (``hatch_build.py``) runs it too.
"""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

# A picture from elsewhere that starts the notebook elsewhere: who has a copy runs it here.
BADGES = re.compile(r"^(?:\[!\[[^\]]*\]\([^)]*\)\]\([^)]*\)\s*)+$", re.MULTILINE)
PICTURE = re.compile(r"!\[[^\]]*\]\(((?!\w+:)[^)\s]+)\)")
PAGES = ("course.md", "glossary.md", "cheat-sheet.md", "questions.md")  # that the course links to
FOLDED = re.compile(
    r"\s+A\s+folded\s+cell\s+below\s+each\s+holds\s+a\s+solution(?:\s+\([^)]*\))?\."
)


def student(notebook: dict[str, Any]) -> None:
    """Leave the solutions and claims out, and every output: predict before you look."""
    hidden = {"solution", "claims"}
    notebook["cells"] = [
        c for c in notebook["cells"] if not hidden & set(c["metadata"].get("tags", []))
    ]
    hold_back(notebook["cells"])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        else:
            text = BADGES.sub("", FOLDED.sub("", "".join(cell["source"])))
            cell["source"] = re.sub(r"\n{3,}", "\n\n", text)


def hold_back(cells: list[dict[str, Any]]) -> None:
    """Let each output that the text wants predicted wait for the prediction."""
    held = [cell for before, cell in pairwise(cells) if "**Predict" in words(before)]
    held = [cell for cell in held if can_wait(cell)]
    for cell in held:
        cell["source"] = "%%predict\n" + "".join(cell["source"])
    if held:
        first = next(cell for cell in cells if cell["cell_type"] == "code")
        if first is held[0]:
            raise ValueError("a notebook's first code cell loads what the course needs")
        first["source"] = "%load_ext equivlab.course.predict\n\n" + "".join(first["source"])


def can_wait(cell: dict[str, Any]) -> bool:
    """Whether a cell shows words and figures alone; what a hand turns is not for guessing."""
    shown = cell.get("outputs", [])
    texts = ["".join(each["data"].get("text/plain", "")) for each in shown if "data" in each]
    attempt = "attempt" in cell["metadata"].get("tags", [])
    return bool(shown) and not attempt and all(text.startswith("<Figure") for text in texts)


def write_student(root: Path, target: Path, version: str) -> None:
    """Write the notebooks for students, and the pages that they link to.

    Args:
        root: the checkout.
        target: a folder for ``notebooks`` and ``docs``.
        version: of equivlab, which each notebook then carries.
    """
    for name in ("notebooks", "docs"):
        (target / name).mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        shutil.copyfile(root / "docs" / page, target / "docs" / page)
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        student(notebook)
        notebook["metadata"]["equivlab"] = {"version": version}
        text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        (target / "notebooks" / path.name).write_text(text, encoding="utf-8", newline="\n")
        for picture in PICTURE.findall("\n".join(map(words, notebook["cells"]))):
            place = target / "notebooks" / picture
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / "notebooks" / picture, place)


def words(cell: dict[str, Any]) -> str:
    """The text of a cell of markdown; of code, none."""
    return "".join(cell["source"]) if cell["cell_type"] == "markdown" else ""
