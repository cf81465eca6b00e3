"""``python -m equivlab``: see `equivlab.training.commands`, and `equivlab.course.copying`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    given = sys.argv[1:] or ["--help"]
    if given[0] == "course":
        from equivlab.course.copying import main as course

        course(given[1:])
    else:
        from equivlab.training.commands import main

        main(given)
