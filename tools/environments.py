"""Write environment.yml and binder/environment.yml from constraints.txt.

    python tools/environments.py            write both
    python tools/environments.py --check    say which is out of date, and change nothing

The two differ in what they are for. `environment.yml` makes a conda environment on a
reader's machine and installs this checkout in it. Binder's file names no local path, so that
repo2docker can build its layer before it copies the repository, and a change to a notebook
costs no new build; `binder/postBuild` installs the package itself.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.12"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"

HEADER = "# Written by tools/environments.py from constraints.txt; change those, not this.\n"

LOCAL = """\
# For a conda environment on your own machine:
#     conda env create --file environment.yml && conda activate equivlab
#     jupyter lab notebooks/00_start_here.ipynb
# On Linux pip's torch is the CUDA build; `make lab` chooses the build for you.
name: equivlab
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python={python}
  - pip
  - pip:
{packages}
      - --editable .[lab]
"""

BINDER = """\
# Binder has no GPU: torch comes as the CPU build, from PyTorch's own index.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python={python}
  - pip
  - pip:
      - --extra-index-url {index}
{packages}
"""


def environment_files(constraints: str) -> dict[str, str]:
    """The text of both environment files, by path, for the text of constraints.txt."""
    pins = sections(constraints)
    packages = [pin for pin in pins["installer"] + pins["lab"] if not pin.startswith("pip==")]
    on_binder = [pin + "+cpu" if pin.startswith("torch==") else pin for pin in packages]
    values = {"python": PYTHON, "index": CPU_INDEX}
    return {
        "environment.yml": HEADER + LOCAL.format(packages=as_items(packages), **values),
        "binder/environment.yml": HEADER + BINDER.format(packages=as_items(on_binder), **values),
    }


def sections(constraints: str) -> dict[str, list[str]]:
    """The pins of constraints.txt under each of its `# -- heading --` lines."""
    found: dict[str, list[str]] = {}
    pins: list[str] = []
    for line in constraints.splitlines():
        heading = re.fullmatch(r"# -- (.+) --", line)
        if heading:
            pins = found[heading[1]] = []
        elif line and not line.startswith("#"):
            pins.append(line)
    return found


def as_items(packages: list[str]) -> str:
    return "\n".join(f"      - {package}" for package in packages)


def main(check: bool) -> int:
    """Write both files or, to check them, return how many are out of date."""
    outdated = 0
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for name, text in environment_files(constraints).items():
        path = ROOT / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        outdated += 1
        print(f"{name} {'is out of date: run `make environments`' if check else 'written'}")
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return outdated if check else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
