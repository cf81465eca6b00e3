"""A parser whose help fits a screen and ends in an example, and whose errors are one line."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

__all__ = ["Parser"]


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
