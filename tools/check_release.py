"""Whether a tag, the package, its files, the citation and the changelog name one version.

    python tools/check_release.py v0.1.0 dist

It uses the standard library alone.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACES = {
    "equivlab/__init__.py": r'^__version__ = "(.+)"$',
    "CITATION.cff": r"^version: (.+)$",
    "CHANGELOG.md": r"^## (.+)$",
}


def faults(tag: str, dist: Path, root: Path = ROOT) -> list[str]:
    """What keeps this tag from being released; nothing, if all is well."""
    version = tag.removeprefix("v")
    found = []
    for name, pattern in PLACES.items():
        said = re.findall(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        if version not in said[:1]:
            found.append(f"{name} is not at {version}; its first is {said[0] if said else 'none'}")
    files = [path.name for path in sorted(dist.glob("*"))]
    found += [f"{name} is of another version" for name in files if f"-{version}" not in name]
    found += [
        f"{dist} has no *{end}" for end in (".whl", ".tar.gz") if not list(dist.glob("*" + end))
    ]
    return found


if __name__ == "__main__":
    sys.exit("\n".join(faults(sys.argv[1], Path(sys.argv[2]))))
