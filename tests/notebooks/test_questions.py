"""What learners ask: an answer in words for each question, and a cell that shows it."""

from __future__ import annotations

import re

from tests.notebooks.reading import COURSE, ROOT, cells

ROW = re.compile(r"^\| (.+?) \| `(\d\d_\w+)` ((?:`[\w-]+`(?:, )?)+) \|$", re.MULTILINE)


def test_every_question_has_an_answer_and_a_place_in_a_notebook() -> None:
    text = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    questions = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    assert len(questions) >= 18
    for question in questions:
        answer, _, places = question.partition(" → ")
        assert len(answer.partition("\n\n")[2].split()) >= 10, question
        assert re.search(r"\]\(\.\./notebooks/\d\d_\w+\.ipynb#[\w-]+\)", places), question


def test_the_cells_that_the_note_points_at_are_there() -> None:
    text = (ROOT / "docs" / "notes" / "notebooks.md").read_text(encoding="utf-8")
    ids = {path.stem: {cell["id"] for cell in cells(path)} for path in COURSE}
    rows = ROW.findall(text)
    assert len({question for question, _, _ in rows}) == len(rows) == 18
    for question, notebook, named in rows:
        assert set(re.findall(r"`([\w-]+)`", named)) <= ids[notebook], question
