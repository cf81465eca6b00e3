"""Which entries of a folder are the user's, and which paths are ordinary files."""

from __future__ import annotations

import stat
from pathlib import Path

__all__ = ["check_file", "is_visible"]


def is_visible(name: str) -> bool:
    """Whether a file or folder is the user's: not hidden, and not made by a system for itself.

    Jupyter leaves ``.ipynb_checkpoints`` behind, macOS ``__MACOSX`` and ``._x.npy``.

    >>> [is_visible(name) for name in ("cdm", ".ipynb_checkpoints", "__MACOSX", "._x.npy")]
    [True, False, False, False]
    """
    return not name.startswith((".", "__"))


def check_file(path: Path, what: str) -> None:
    """Refuse what is no ordinary file: to open a pipe would wait for ever.

    Raises:
        FileNotFoundError: there is nothing, or a link to nothing.
        ValueError: a folder, a pipe, a device, or an empty file.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"There is no {what} file {path}.") from error
    if stat.S_ISDIR(found.st_mode):
        raise ValueError(f"{path} is a folder; give one {what} file in it.")
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(
            f"{path} is a pipe or a device, and no {what} file. Copy what it gives into a file."
        )
    if found.st_size == 0:
        raise ValueError(f"{path} is no {what} file: it is empty. Fetch or write it again.")
