"""The command that copies the course: what is there stays, and nothing half is left."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import equivlab
from equivlab.course import copying
from equivlab.course.copying import copy_course, main
from tools.student import write_student

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a wheel holds, from this checkout."""
    folder = tmp_path_factory.mktemp("wheel") / "student"
    write_student(ROOT, folder, equivlab.__version__)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_copy_is_the_source_and_a_second_one_does_nothing(source: Path, tmp_path: Path) -> None:
    first = copy_course(tmp_path / "deep" / "course", source)
    assert tree(first.folder) == tree(source)
    assert {path.name for path in first.folder.iterdir()} == {"notebooks", "docs"}
    second = copy_course(first.folder, source)
    assert (second.written, second.kept) == ([], {})
    assert second.same == sorted(tree(source))


def test_what_a_learner_wrote_stays_and_is_named(source: Path, tmp_path: Path) -> None:
    names = [f"notebooks/{path.name}" for path in sorted((source / "notebooks").iterdir())]
    copy_course(tmp_path, source)
    old = json.loads((tmp_path / names[1]).read_text(encoding="utf-8"))
    old["metadata"]["equivlab"]["version"] = "0.0.1"
    (tmp_path / names[1]).write_text(json.dumps(old), encoding="utf-8")
    (tmp_path / names[2]).write_bytes(b"\xff not a notebook")
    (tmp_path / names[3]).unlink()
    (tmp_path / names[4]).unlink()
    (tmp_path / names[4]).symlink_to(tmp_path / "nowhere")  # a link of theirs is theirs, too
    before = tree(tmp_path)
    done = copy_course(tmp_path, source)
    assert done.kept == {names[1]: "0.0.1", names[2]: "", names[4]: ""}
    assert done.written == [names[3]]
    assert {name: text for name, text in tree(tmp_path).items() if name != names[3]} == before
    assert f"kept: {names[1]}, yours, of equivlab 0.0.1" in str(done)
    assert "name another folder" in str(done)


@pytest.mark.parametrize("fails_at", [0, 1, 5])
def test_a_full_disk_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    calls = iter(range(99))
    write = Path.write_bytes

    def full(path: Path, text: bytes) -> int:
        if next(calls) == fails_at:
            write(path, text[:7])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, text)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space left on device. Free 0\.\d MB, or name another"):
        copy_course(tmp_path / "course", source)
    assert list((tmp_path / "course").iterdir()) == []
    monkeypatch.setattr(Path, "write_bytes", write)
    assert tree(copy_course(tmp_path / "course", source).folder) == tree(source)


KILLED = """
import os, sys
from pathlib import Path
from equivlab.course import copying
place, count = copying._place, iter(range(99))
def dying(staged, target):
    if next(count) == 3:
        os._exit(137)  # as by SIGKILL: nothing is cleaned up
    return place(staged, target)
copying._place = dying
copying.copy_course(sys.argv[1], Path(sys.argv[2]))
"""


def test_a_kill_leaves_whole_files_and_the_same_call_goes_on(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(source)]
    assert subprocess.run(command, cwd=ROOT).returncode == 137
    (staging,) = tmp_path.glob(".*")
    there = {name: text for name, text in tree(tmp_path).items() if not name.startswith(".")}
    assert len(there) == 3
    assert there.items() <= tree(source).items()
    os.utime(staging, (0, 0))  # long ago
    assert len(copy_course(tmp_path, source).same) == 3
    assert tree(tmp_path) == tree(source)


def test_a_disk_without_hard_links(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*given: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", none)
    assert tree(copy_course(tmp_path, source).folder) == tree(source)
    assert copying._place(source / "docs" / "course.md", tmp_path / "docs" / "course.md") is False


def test_what_cannot_be_is_one_line(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotADirectoryError, match=r"is a file\. Name a folder"):
        copy_course(tmp_path / "file", source)
    with pytest.raises(OSError, match=r"file.inside cannot be written: .* no file of yours"):
        copy_course(tmp_path / "file" / "inside", source)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "docs").write_text("mine")
    with pytest.raises(OSError, match="taken cannot be written"):
        copy_course(tmp_path / "taken", source)
    assert (tmp_path / "taken" / "docs").read_text() == "mine"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"is a checkout.*`make course`"):
        main([])
    assert not (tmp_path / "equivlab-course").exists()


def test_the_command_says_what_is_next(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(copying, "_shipped", lambda: source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["equivlab-course"])
    main()
    said = capsys.readouterr().out
    first = Path("equivlab-course/notebooks/00_start_here.ipynb")
    assert said.endswith(f"Next:  jupyter lab {first}\n")
    assert first.exists()
