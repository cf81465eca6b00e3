"""A parser whose help fits a screen and ends in an example, and whose errors are one line."""

from __future__ import annotations

import argparse
import errno
import sys
from typing import NoReturn

__all__ = ["Parser", "told"]

#: What the system's words for a file leave open.
REMEDIES = {
    errno.EEXIST: "{file} is a file, and a folder is wanted there. Give another name.",
    errno.ENOTDIR: "{file} lies below a file, where a folder is wanted. Give another name.",
    errno.EISDIR: "{file} is a folder, and a file is wanted there. Give another name.",
    errno.EACCES: "{file} may not be read or written by you. Give another folder.",
    errno.EROFS: "{file} lies where nothing can be written. Give another folder.",
    errno.ENOSPC: "There is no room left for {file}. Free some, and run the same command again.",
}


def told(error: BaseException) -> str:
    """What went wrong and what to do, also where the system said it with a number."""
    remedy = REMEDIES.get(getattr(error, "errno", None) or 0)
    file = getattr(error, "filename2", None) or getattr(error, "filename", None)
    return remedy.format(file=file) if remedy and file else str(error)


class Parser(argparse.ArgumentParser):
    """The options of one command.

    Args:
        command: its name.
        about: what it does.
        ending: shown below the options, for example an example.
    """

    def __init__(self, command: str, about: str, ending: str) -> None:
        super().__init__(
            f"python -m equivlab {command}".strip(),
            description=about,
            epilog=ending,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """End with one line, and the code 2."""
        sys.stderr.write(f"{self.prog}: {message}. See {self.prog} --help\n")
        raise SystemExit(2)
