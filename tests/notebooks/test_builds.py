"""The three builds of the course, from one source."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

import equivlab
from tests.notebooks.reading import COURSE, LINK, markdown, prose
from tools.course import KINDS, PART, build, instructor_notes, main, tags
from tools.student import PAGES, write_student


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    for kind in KINDS:
        build(kind, folder)
    return folder


def read(folder: Path, kind: str) -> list[nbformat.NotebookNode]:
    return [nbformat.read(folder / kind / "notebooks" / path.name, 4) for path in COURSE]


def test_students_get_no_solution_no_claim_and_no_output(builds: Path) -> None:
    for notebook in read(builds, "student"):
        for cell in notebook.cells:
            assert not tags(cell) & {"solution", "claims"}
            assert "A solution." not in cell.source
            assert "folded" not in cell.source
            assert "badge" not in cell.source
            assert not cell.get("outputs")


def test_students_keep_every_blank(builds: Path) -> None:
    attempts = [c for n in read(builds, "student") for c in n.cells if "attempt" in tags(c)]
    source = [c for path in COURSE for c in nbformat.read(path, 4).cells if "attempt" in tags(c)]
    assert [c.source for c in attempts] == [c.source for c in source]
    assert len(attempts) >= 2 * (len(COURSE) - 1)


def test_the_solution_build_is_unfolded_and_keeps_outputs_and_claims(builds: Path) -> None:
    found = [c for n in read(builds, "solution") for c in n.cells if tags(c) & {"solution"}]
    assert found
    assert all("jupyter" not in cell.metadata and cell.outputs for cell in found)
    assert any("claims" in tags(c) for n in read(builds, "solution") for c in n.cells)


def test_every_note_for_the_instructor_stands_behind_its_part(builds: Path) -> None:
    notes = instructor_notes()
    assert list(notes) == [path.stem for path in COURSE]
    for notebook, (name, wanted) in zip(read(builds, "instructor"), notes.items(), strict=True):
        assert "minutes" in wanted["0"], name
        placed = {c.id.removeprefix("instructor-") for c in notebook.cells if "instructor" in c.id}
        assert placed == set(wanted), name
        for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
            if cell.id.startswith("instructor-") and not cell.id.endswith("-0"):
                assert cell.id.removeprefix("instructor-") in [
                    found[1] for found in PART.finditer(before.source)
                ]


def test_instructors_have_slides(builds: Path) -> None:
    for notebook in read(builds, "instructor"):
        kinds = [cell.metadata.slideshow.slide_type for cell in notebook.cells]
        assert kinds[0] == "slide"
        assert {"slide", "fragment", "notes"} <= set(kinds)


@pytest.mark.parametrize("kind", KINDS)
def test_links_lead_somewhere_in_a_build(builds: Path, kind: str) -> None:
    folder = builds / kind / "notebooks"
    for path in sorted(folder.glob("*.ipynb")):
        for text in map(prose, markdown(path)):
            for link in LINK.finditer(text):
                target = link["target"].partition("#")[0]
                assert target.startswith("https:") or (folder / target).exists(), target
    assert {path.name for path in (builds / kind / "docs").iterdir()} == set(PAGES)


def test_the_command_builds_what_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["course", "student", "--folder", str(tmp_path)])
    main()
    assert capsys.readouterr().out.strip() == str(tmp_path / "student")
    assert [path.name for path in tmp_path.iterdir()] == ["student"]
    main()  # and again, over the first
    monkeypatch.setattr("sys.argv", ["course", "teacher"])
    with pytest.raises(SystemExit):
        main()
    assert "there are student, solution, instructor, colab" in capsys.readouterr().err


def test_on_colab_the_first_cell_keeps_its_torch(
    builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for student, notebook in zip(read(builds, "student"), read(builds, "colab"), strict=True):
        first, *others = notebook.cells
        assert [cell.source for cell in others] == [cell.source for cell in student.cells]
        assert (
            f'--constraint kept.txt "equivlab[data,plotly,sphere]=={equivlab.__version__}"'
            in first.source
        )
        python = TransformerManager().transform_cell(first.source)
        exec(python[: python.index("get_ipython")], {})
        kept = Path("kept.txt").read_text()
        assert kept == f"torch=={version('torch')}\nnumpy=={version('numpy')}\n"
        compile(python, "colab", "exec")


def test_pictures_of_a_notebook_come_with_it(tmp_path: Path) -> None:
    for name in ("docs", "notebooks/images"):
        (tmp_path / name).mkdir(parents=True)
    for page in PAGES:
        (tmp_path / "docs" / page).write_text("")
    (tmp_path / "notebooks/images/orbit.png").write_bytes(b"png")
    badge = "[![Binder](https://a/b.svg)](https://c)"
    text = f"# Title\n\n{badge} {badge}\n\n![an orbit](images/orbit.png) ![far](https://d/e.png)"
    cell = nbformat.v4.new_markdown_cell(text)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "notebooks" / "00.ipynb")
    write_student(tmp_path, tmp_path / "student", "1.0")
    assert (tmp_path / "student/notebooks/images/orbit.png").read_bytes() == b"png"
    (found,) = nbformat.read(tmp_path / "student/notebooks/00.ipynb", 4).cells
    assert found.source == text.replace(f"{badge} {badge}\n\n", "")
