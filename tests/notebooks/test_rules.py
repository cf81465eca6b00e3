"""What every notebook of the course keeps to: read from the files, nothing is run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from equivlab import fields, nn
from tests.notebooks.reading import COURSE, LINK, ROOT, anchors, cells, markdown, prose, slug

LONGEST = 25  # lines of a code cell
MOST_IN_A_ROW = 2  # code cells without words between
MOST_BYTES = 1_500_000
WIDGET = re.compile(r"^(?:Rotate(?:Image|Sphere|Shape)|FilterOrbit|AccuracyVsAngle)\(")
# Where a paper is named, its address stands.
PAPER = re.compile(r"\b(?:ICML|ICLR|NeurIPS|ACL|ECCV|ApJ|arXiv|et al\.)")
FOLD = re.MULTILINE | re.DOTALL
GOALS = ("**You will learn to**", "**You need**", "**Takes**")

each_notebook = pytest.mark.parametrize("notebook", COURSE, ids=lambda path: path.stem)


def code(notebook: Path) -> list[dict]:
    return [cell for cell in cells(notebook) if cell["cell_type"] == "code"]


def printing(source: str) -> bool:
    """Whether the cell itself prints; a function that it defines may do so later."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Name) and node.id == "print":
            return True
        waiting += ast.iter_child_nodes(node)
    return False


def shows_something(source: str) -> bool:
    """Whether the cell ends in a value or draws a figure."""
    body = ast.parse(source).body
    value = body[-1].value if body and isinstance(body[-1], ast.Expr) else None
    return value is not None


@pytest.mark.parametrize(
    ("source", "prints"),
    [
        ("if x:\n    print(1)", True),
        ("def f():\n    print(1)", False),
        ("f = lambda: print(1)", False),
        ("x = 1", False),
    ],
)
def test_printing_is_seen(source: str, prints: bool) -> None:
    assert printing(source) is prints


def test_the_course_is_there() -> None:
    assert len(COURSE) >= 8
    assert [path.name[:2] for path in COURSE] == [f"{n:02}" for n in range(len(COURSE))]


@each_notebook
def test_what_prints_or_shows_has_an_output(notebook: Path) -> None:
    silent = []
    for cell in code(notebook):
        kinds = {output["output_type"] for output in cell["outputs"]}
        if printing(cell["source"]) and "stream" not in kinds:
            silent.append(cell["source"])
        if shows_something(cell["source"]) and not kinds:
            silent.append(cell["source"])
    assert silent == []


@each_notebook
def test_every_notebook_leads_to_the_one_before_and_after(notebook: Path) -> None:
    number = COURSE.index(notebook)
    first, last = markdown(notebook)[0], markdown(notebook)[-1]
    if number > 0:
        assert f"]({COURSE[number - 1].name})" in first
    if number + 1 < len(COURSE):
        assert f"→]({COURSE[number + 1].name})" in first
        assert f"]({COURSE[number + 1].name})" in last
    assert "](../docs/course.md)" in first
    assert "](../docs/glossary.md)" in first


# The front page of the site links to pages that are made; `test_site` follows those.
PAGES = [*COURSE, *sorted({*(ROOT / "docs").glob("*.md")} - {ROOT / "docs" / "index.md"})]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    texts = markdown(page) if page.suffix == ".ipynb" else [page.read_text(encoding="utf-8")]
    dead = []
    for text in texts:
        for link in LINK.finditer(prose(text)):
            target, _, anchor = link["target"].partition("#")
            if target.startswith("https:"):
                continue
            path = (page.parent / target) if target else page
            lost = anchor and anchor not in anchors(path)
            if lost or not path.exists():
                dead.append(link["target"])
    assert dead == []


@each_notebook
def test_papers_are_links(notebook: Path) -> None:
    without = [LINK.sub("", prose(text)) for text in markdown(notebook)]
    assert [found[0] for text in without for found in PAPER.finditer(text)] == []


@each_notebook
def test_the_top_says_what_for_and_what_it_takes(notebook: Path) -> None:
    top = markdown(notebook)[0]
    places = [top.find(goal) for goal in GOALS]
    assert -1 not in places
    assert places == sorted(places)
    assert 2 <= len(re.findall(r"^- ", top, re.MULTILINE)) <= 6
    assert re.search(r"about \d+ minutes of your time", top)
    assert re.search(r"\d\.\d GB", top)


@each_notebook
def test_optional_parts_are_marked_and_listed(notebook: Path) -> None:
    parts = re.findall(r"^## (\d+)\. (.*)$", "\n".join(markdown(notebook)), re.MULTILINE)
    assert [int(number) for number, _ in parts] == list(range(1, len(parts) + 1))
    if not parts:
        return
    listed = re.search(r"\*\*Core:\*\* (.+?)\. \*\*Optional:\*\* (.+?)\.", markdown(notebook)[0])
    assert listed
    core, optional = map(numbers, listed.groups())
    marked = {int(number) for number, title in parts if title.endswith("(optional)")}
    assert optional == marked
    assert core == {int(number) for number, _ in parts} - marked


def numbers(text: str) -> set[int]:
    """The parts that ``parts 1, 2 and 4 to 6`` names."""
    text = re.sub(r"\(.*?\)|,? the training", "", text)
    found: set[int] = set()
    for low, high in re.findall(r"(\d+)(?: to (\d+))?", text):
        found |= set(range(int(low), int(high or low) + 1))
    return found


@each_notebook
def test_code_cells_are_short_and_explained(notebook: Path) -> None:
    assert [c["source"] for c in code(notebook) if c["source"].count("\n") >= LONGEST] == []
    row = 0
    for cell in cells(notebook):
        row = row + 1 if cell["cell_type"] == "code" else 0
        assert row <= MOST_IN_A_ROW, cell["source"]


@each_notebook
def test_no_verdict_is_printed_as_true(notebook: Path) -> None:
    """What must hold is asserted, in a cell tagged `claims` where a reader need not see it."""
    said = [
        line
        for cell in code(notebook)
        for output in cell["outputs"]
        for line in "".join(output.get("text", "")).splitlines()
    ]
    assert [line for line in said if re.search(r": (?:True|False)$", line)] == []


@each_notebook
def test_there_is_a_widget(notebook: Path) -> None:
    shown = [
        "".join(output.get("data", {}).get("text/plain", ""))
        for cell in code(notebook)
        for output in cell["outputs"]
    ]
    assert [text for text in shown if WIDGET.match(text)]


@each_notebook
def test_both_words_for_the_law_are_used(notebook: Path) -> None:
    text = "\n".join(prose(cell) for cell in markdown(notebook))
    assert re.search(r"\bequivarian", text)
    assert re.search(r"\blaw\b", text)


@each_notebook
def test_the_file_is_small_and_its_figures_have_stills(notebook: Path) -> None:
    assert notebook.stat().st_size <= MOST_BYTES
    for cell in code(notebook):
        for output in cell["outputs"]:
            data = output.get("data", {})
            if re.match(r"<Figure|" + WIDGET.pattern[1:], "".join(data.get("text/plain", ""))):
                assert "image/png" in data, cell["source"]


@each_notebook
def test_solutions_are_folded_and_their_bar_says_nothing(notebook: Path) -> None:
    tagged = {kind: with_tag(notebook, kind) for kind in ("attempt", "solution", "claims")}
    for cell in tagged["solution"] + tagged["claims"]:
        assert cell["metadata"]["jupyter"]["source_hidden"]
    assert all(cell["source"].startswith("# A solution.") for cell in tagged["solution"])
    exercises = sum(len(re.findall(r"^### Exercise", t, re.MULTILINE)) for t in markdown(notebook))
    assert len(tagged["solution"]) == len(tagged["attempt"]) == exercises
    assert exercises >= 2 or notebook == COURSE[0]


@each_notebook
def test_every_exercise_has_hints_in_steps(notebook: Path) -> None:
    text = "\n".join(markdown(notebook))
    for exercise in re.split(r"^### Exercise ", text, flags=re.MULTILINE)[1:]:
        told = exercise.split("\n## ")[0]
        steps = re.findall(
            r"^<details><summary>Hint (\d)</summary>\n\n.+?\n\n</details>$", told, FOLD
        )
        assert len(steps) >= 2, exercise[:80]
        assert [int(step) for step in steps] == list(range(1, len(steps) + 1))


@each_notebook
def test_attempts_fail_kindly_and_solutions_pass(notebook: Path) -> None:
    """As the file says; `make notebooks` runs it and compares."""
    for kind, mark in (("attempt", "✗"), ("solution", "✓")):
        for cell in with_tag(notebook, kind):
            (output,) = (o for o in cell["outputs"] if o["output_type"] == "execute_result")
            assert "".join(output["data"]["text/plain"]).startswith(mark), cell["source"]


@each_notebook
def test_nothing_later_needs_a_solution(notebook: Path) -> None:
    """What the student build leaves out is missed by no cell that stays."""
    known: set[str] = set()
    for cell in code(notebook):
        tree = ast.walk(ast.parse(cell["source"]))
        names = [node for node in tree if isinstance(node, ast.Name)]
        made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        made |= {node.name for node in ast.parse(cell["source"]).body if hasattr(node, "name")}
        if "solution" in cell["metadata"].get("tags", []):
            lost = made - known
            later = code(notebook)[code(notebook).index(cell) + 1 :]
            assert [c["source"] for c in later if lost & loaded(c["source"])] == []
        known |= made


def loaded(source: str) -> set[str]:
    """Names that a cell uses and does not make itself."""
    names = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)]
    made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return {node.id for node in names if isinstance(node.ctx, ast.Load)} - made


def with_tag(notebook: Path, tag: str) -> list[dict]:
    return [cell for cell in code(notebook) if tag in cell["metadata"].get("tags", [])]


def test_anchors_are_made_as_github_makes_them() -> None:
    assert slug("Clebsch–Gordan coefficients") == "clebschgordan-coefficients"
    assert slug("SO(3)") == "so3"


def test_the_map_says_the_minutes_and_exercises_of_the_notebooks() -> None:
    text = (ROOT / "docs" / "course.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| \[.+?\]\(\.\./notebooks/(.+?)\) \|.+?\| (\d+) \| (\d*) ?\|$", text, re.M
    )
    assert [name for name, _, _ in rows] == [path.name for path in COURSE]
    for notebook, (_, minutes, exercises) in zip(COURSE, rows, strict=True):
        texts = markdown(notebook)
        assert f"about {minutes} minutes of your time" in texts[0]
        told = sum(len(re.findall(r"^### Exercise", text, re.MULTILINE)) for text in texts)
        assert told == int(exercises or 0)


def test_the_cheat_sheet_names_what_there_is() -> None:
    text = (ROOT / "docs" / "cheat-sheet.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z]\w+[a-z]\w*)(?:\(.*?\))?`", text))
    assert len(named) > 30
    assert named <= set(nn.__all__) | set(fields.__all__)
