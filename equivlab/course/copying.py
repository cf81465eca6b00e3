"""``course``: put the notebooks that fit this version into a folder of yours.

They come with the package, without solutions and outputs. A file that is there is never touched.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from equivlab import __version__
from equivlab.training.commands.parsing import Parser
from equivlab.training.signals import stopped_by_signals

__all__ = ["CourseCopy", "copy_course", "main"]

STAGING = ".equivlab-course-"  # where files lie until all are written
STALE = 3600.0  # seconds after which a staging folder is one of a run that was killed
EXAMPLE = """\
example:
  python -m equivlab course lessons
  jupyter lab lessons/notebooks/00_start_here.ipynb"""


@dataclass
class CourseCopy:
    """What came of a copy, as paths in its folder.

    Args:
        folder: where the course lies.
        written: files that are new.
        same: files that were there, word for word.
        kept: files that were there and differ; they are as they were. Each with the version of
            equivlab that it was written for, or an empty string where it does not say.
    """

    folder: Path
    written: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [
            f"{self.folder}: the course of equivlab {__version__}. "
            f"{len(self.written)} files written, {len(self.same)} were there."
        ]
        for name, version in sorted(self.kept.items()):
            old = version not in ("", __version__)
            lines.append(f"kept: {name}, yours" + (f", of equivlab {version}" if old else ""))
        if self.kept:
            lines.append("For fresh copies beside them, name another folder.")
        return "\n".join(lines)


def copy_course(folder: str | os.PathLike[str], source: Traversable | None = None) -> CourseCopy:
    """Copy the notebooks for students, and the pages that they link to, into a folder.

    All files are written beside their places first and moved there when all are whole. So a full
    disk or a kill leaves whole files or none, and the same call goes on.

    Args:
        folder: it is made where it is missing; files in it are never changed.
        source: a folder with the course; the one in the installed package without.

    Raises:
        FileNotFoundError: this equivlab has no notebooks in it, as in a checkout.
        NotADirectoryError: `folder` is a file.
        OSError: it cannot be written, or the disk is full; the message says which.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{target} is a file. Name a folder, new or old, for the course.")
    given = _texts(_shipped() if source is None else source)
    try:
        return _copy(given, target)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        size = sum(map(len, given.values())) / 1e6
        remedy = f"Free {size:.1f} MB" if full else "Make it writable"
        raise type(error)(
            f"{target} cannot be written: {error.strerror or error}. {remedy}, or name another "
            "folder, and run the same command again; no file of yours was touched."
        ) from error


def _shipped() -> Traversable:
    """The course in the installed package."""
    found = resources.files("equivlab.course") / "student"
    if not found.is_dir():
        raise FileNotFoundError(
            f"The equivlab in {Path(__file__).parents[1]} is a checkout, and its notebooks "
            "are in the folder beside it. `make course` writes those for students into "
            "build/course/student."
        )
    return found


def _texts(source: Traversable) -> dict[str, bytes]:
    """Every file, by its path from `source`."""
    found: dict[str, bytes] = {}
    for each in source.iterdir():
        if each.is_dir():
            found |= {f"{each.name}/{name}": text for name, text in _texts(each).items()}
        else:
            found[each.name] = each.read_bytes()
    return found


def _copy(given: dict[str, bytes], target: Path) -> CourseCopy:
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob(STAGING + "*"):
        if time.time() - old.stat().st_mtime > STALE:
            shutil.rmtree(old, ignore_errors=True)
    done = CourseCopy(target)
    missing = [name for name in sorted(given) if not os.path.lexists(target / name)]
    if missing:
        with tempfile.TemporaryDirectory(prefix=STAGING, dir=target) as staging:
            for number, name in enumerate(missing):
                (Path(staging) / str(number)).write_bytes(given[name])
            for number, name in enumerate(missing):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                if _place(Path(staging) / str(number), target / name):
                    done.written.append(name)
    for name in sorted(set(given) - set(done.written)):
        there = target / name
        text = there.read_bytes() if there.is_file() else b""
        if text == given[name]:
            done.same.append(name)
        else:
            done.kept[name] = _version(text)
    return done


def _place(staged: Path, target: Path) -> bool:
    """Move a whole file to where nothing is; whether nothing was."""
    try:
        os.link(staged, target)  # in one step, and never over what is there
    except FileExistsError:
        return False
    except OSError:  # a disk without hard links
        if os.path.lexists(target):
            return False
        staged.rename(target)
    return True


def _version(text: bytes) -> str:
    """For which equivlab a notebook was written; empty where that is not said."""
    try:
        return str(json.loads(text)["metadata"]["equivlab"]["version"])
    except (ValueError, KeyError, TypeError):
        return ""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command: copy, and say what was kept.

    Raises:
        SystemExit: with one line, where the folder cannot be written or no course is there.
    """
    about = "Copy the notebooks of the course that fit this version; yours are never overwritten."
    parser = Parser("course", about, EXAMPLE)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("equivlab-course"), help="(equivlab-course)"
    )
    given = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    try:
        with stopped_by_signals():
            done = copy_course(given.folder)
    except OSError as error:
        sys.exit(str(error))
    first = min((done.folder / "notebooks").glob("*.ipynb"))
    sys.stdout.write(f"{done}\nNext:  jupyter lab {first}\n")
