"""The course as text: its notebooks in order, their prose, and the glossary."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COURSE = sorted((ROOT / "notebooks").glob("*.ipynb"))
GLOSSARY = ROOT / "docs" / "glossary.md"
LINK = re.compile(r"\[(?P<text>[^\]\[]*)\]\((?P<target>[^)\s]+)\)")
CODE_BLOCK = re.compile(r"```.*?```", re.DOTALL)
# What is not prose: badges, formulas, code and headings.
NOT_PROSE = re.compile(
    r"\[!\[.*?\]\(.*?\)\]\(.*?\)|\$\$.*?\$\$|\$[^$]+\$|`[^`]*`|^#.*?$",
    re.DOTALL | re.MULTILINE,
)


def cells(notebook: Path) -> list[dict[str, Any]]:
    """The cells, each with its source as one string."""
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in found]


def markdown(notebook: Path) -> list[str]:
    return [cell["source"] for cell in cells(notebook) if cell["cell_type"] == "markdown"]


def prose(text: str) -> str:
    """The sentences of a cell, with their links; all else as blanks of the same length."""
    for other in (CODE_BLOCK, NOT_PROSE):
        text = other.sub(lambda found: " " * len(found[0]), text)
    return text


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    kept = (c for c in heading.lower() if c in " -_" or unicodedata.category(c)[0] in "LN")
    return "".join(kept).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """Of the headings of a page or a notebook."""
    texts = markdown(page) if page.suffix == ".ipynb" else [page.read_text(encoding="utf-8")]
    text = CODE_BLOCK.sub("", "\n".join(texts))
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@dataclass(frozen=True)
class Term:
    """A word of the glossary, and the forms in which it is used."""

    name: str
    forms: tuple[str, ...]

    @property
    def anchor(self) -> str:
        return slug(self.name)

    @property
    def pattern(self) -> re.Pattern[str]:
        """The word by itself, its plural too; not inside a longer one."""
        words = (r"\s+".join(map(re.escape, form.split())) for form in self.forms)
        return re.compile(rf"(?<![\w-])(?:{'|'.join(words)})s?(?![\w])", re.IGNORECASE)


def glossary() -> list[Term]:
    entries = re.split(r"^## ", GLOSSARY.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    terms = []
    for entry in entries:
        name, _, rest = entry.partition("\n")
        also = re.match(r"\*Also:\* (.+)\.\n", rest)
        terms.append(Term(name, (name, *(also[1].split(", ") if also else ()))))
    return terms
