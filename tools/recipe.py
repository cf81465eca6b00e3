"""Write the recipe for conda-forge, from pyproject.toml and the archive of a tag.

    python tools/recipe.py v0.1.0.tar.gz            build/recipe/recipe.yaml
    python tools/recipe.py v0.1.0.tar.gz --maintainer NAME --folder there

The file is GitHub's archive of the tag, and NAME an account there that will look after the package
on conda-forge. It uses the standard library alone.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Packages that have another name on conda-forge.
NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
RECIPE = """\
schema_version: 1

context:
  version: "{version}"

package:
  name: {name}
  version: ${{{{ version }}}}

source:
  url: {source}/archive/refs/tags/v${{{{ version }}}}.tar.gz
  sha256: {digest}

build:
  number: 0
  # Where no compiler of the recipe knows vector extensions, all works without the kernel.
  script: ${{{{ PYTHON }}}} -m pip install . -vv --no-deps --no-build-isolation
  skip: match(python, "<{oldest} or >={newest}")

requirements:
  build:
    - ${{{{ compiler("c") }}}}
    - ${{{{ stdlib("c") }}}}
  host:
    - python
    - pip
{host}
  run:
    - python
{run}

tests:
  - python:
      imports:
{imports}
      pip_check: true
  - script:
      - python -m {name} course lessons
      - equivlab-course again

about:
  homepage: {homepage}
  summary: {summary}
  license: {license}
  license_file: LICENSE
  documentation: {documentation}
  repository: {source}

extra:
  recipe-maintainers:
    - {maintainer}
"""


def recipe(archive: Path, maintainer: str) -> str:
    """The recipe as text, for the version of this checkout.

    Args:
        archive: GitHub's archive of the version's tag.
        maintainer: an account on GitHub.
    """
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project: dict[str, Any] = pyproject["project"]
    package = (ROOT / "equivlab" / "__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(.+)"$', package, re.MULTILINE)
    oldest, newest = re.findall(r"\d+\.\d+", project["requires-python"])
    return RECIPE.format(
        version=version,
        name=project["name"],
        digest=hashlib.sha256(archive.read_bytes()).hexdigest(),
        oldest=oldest,
        newest=newest,
        host=listed(pyproject["build-system"]["requires"]),
        run=listed(project["dependencies"]),
        imports="\n".join(f"        - {room}" for room in rooms()),
        homepage=project["urls"]["Homepage"],
        source=project["urls"]["Source"],
        documentation=project["urls"]["Documentation"],
        summary=project["description"],
        license=project["license"],
        maintainer=maintainer,
    )


def listed(requirements: list[str]) -> str:
    """Lines of a recipe: conda's name, a space, and the range."""
    lines = []
    for requirement in requirements:
        name, wanted = re.fullmatch(r"([\w.-]+)(\S*)", requirement).groups()
        lines.append(f"    - {NAMES.get(name, name)} {wanted}".rstrip())
    return "\n".join(lines)


def rooms() -> list[str]:
    """The package, and its rooms that need no extra."""
    inits = sorted((ROOT / "equivlab").glob("*/__init__.py"))
    return ["equivlab", *(f"equivlab.{path.parent.name}" for path in inits)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--maintainer", default="equivlab")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "recipe")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    target = given.folder / "recipe.yaml"
    target.write_text(recipe(given.archive, given.maintainer), encoding="utf-8")
    print(target)


if __name__ == "__main__":
    sys.exit(main())
