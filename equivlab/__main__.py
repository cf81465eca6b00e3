"""``python -m equivlab``: see `equivlab.training.cli`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from equivlab.training.cli import main

    main(sys.argv[1:] or ["--help"])
