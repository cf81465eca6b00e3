"""Write hashes.txt: for every pin of constraints.txt the SHA-256 of each file that PyPI has of it.

    python -m tools.hashes            write it; asks PyPI, by uv (pip install uv)
    python -m tools.hashes --check    say whether it has the pins of constraints.txt; no network

`tools/install.py` installs by it, so a file that was exchanged on the way, or on the index, is
refused. torch is not in it: its CPU build comes from PyTorch's own index, the CUDA one brings
packages by platform, and the two have one version. pip takes it by version alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.environments import sections

ROOT = Path(__file__).resolve().parent.parent
HASHES = ROOT / "hashes.txt"
WITHOUT = ("torch",)
HEADER = "# Written by tools/hashes.py from constraints.txt; change that, not this.\n"
# Those are for one system or one build, so pip takes them by version where torch asks for them.
BY_SYSTEM = ("CUDA build of torch", "macOS and Windows")
BLOCK = re.compile(r"^[A-Za-z0-9].*?(?=^[A-Za-z0-9#]|\Z)", re.MULTILINE | re.DOTALL)


def name_of(pin: str) -> str:
    """The name in a pin, as PyPI writes it."""
    return re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower()


def blocks(text: str) -> dict[str, str]:
    """A requirement with its hashes, by its name."""
    found = BLOCK.findall(text)
    return {name_of(block): block.rstrip() + "\n" for block in found}


def wanted(constraints: str) -> dict[str, list[str]]:
    """The pins that are hashed, by heading."""
    return {
        heading: [pin for pin in pins if pin.partition("==")[0] not in WITHOUT]
        for heading, pins in sections(constraints).items()
        if heading not in BY_SYSTEM
    }


def hashes_file(constraints: str, compiled: str) -> str:
    """The text of hashes.txt: what uv compiled, under the headings of constraints.txt."""
    found = blocks(compiled)
    text = HEADER
    for heading, pins in wanted(constraints).items():
        text += f"\n# -- {heading} --\n"
        text += "".join(found[name_of(pin)] for pin in pins)
    return text


def is_current(constraints: str, hashes: str) -> bool:
    """Whether every pin has its version here, with a hash, and nothing else is there."""
    found = blocks(hashes)
    pins = [pin for each in wanted(constraints).values() for pin in each]
    versions = {name_of(pin): pin.partition(";")[0].strip() for pin in pins}
    return set(found) == set(versions) and all(
        f"=={version.partition('==')[2]} " in found[name] and "--hash=sha256:" in found[name]
        for name, version in versions.items()
    )


def compile_by_uv(constraints: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.in"
        pins.write_text(
            "\n".join(pin for each in wanted(constraints).values() for pin in each),
            encoding="utf-8",
        )
        command = ["uv", "pip", "compile", str(pins), "--universal", "--no-deps", "--quiet"]
        command += ["--generate-hashes", "--no-header", "--no-annotate", "--python-version", "3.11"]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main(check: bool) -> int:
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    if not check:
        HASHES.write_text(hashes_file(constraints, compile_by_uv(constraints)), encoding="utf-8")
    elif not is_current(constraints, HASHES.read_text(encoding="utf-8")):
        print("hashes.txt is out of date: run python -m tools.hashes")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
