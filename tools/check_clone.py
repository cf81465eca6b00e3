"""Install a clean clone where no C compiler is in the path, and run the tests of the kernel there.

python -m tools.check_clone                  `ziglang` makes the kernel
python -m tools.check_clone --without        and cannot be had: all goes the ordinary way
python -m tools.check_clone --all            the whole `make test`, in either case

It clones what is committed, takes some minutes and 2 GB in a temporary folder, and fetches what an
install fetches. The tests of the kernel that need a compiler or the kernel skip by name.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = r"cc|c\+\+|cpp|gcc|g\+\+|clang|clang\+\+|tcc|icx|zig|c[89]9"
COMPILER = re.compile(rf"(.*-)?({NAMES})(-[\d.]+)?")
TESTS = ("tests/nn/planar/test_compiled.py", "tests/nn/planar/test_compiled_build.py",
         "tests/nn/planar/test_compiled_threads.py", "tests/nn/planar/test_fusing.py",
         "tests/sphere/test_compiled.py")  # fmt: skip


def path_without_compilers(folder: Path, path: str) -> str:
    """A folder of links to all programs of a `PATH`, save those that compile C."""
    for place in map(Path, path.split(os.pathsep)):
        for program in sorted(place.iterdir()) if place.is_dir() else []:
            link = folder / program.name
            if not COMPILER.fullmatch(program.name) and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def make_unreachable(hashes: Path) -> None:
    """Let an install ask for a `ziglang` that nobody has."""
    text = hashes.read_text(encoding="utf-8")
    changed = re.sub(r"^ziglang==\S+", "ziglang==0.0.0", text, flags=re.MULTILINE)
    if changed == text:
        raise ValueError(f"{hashes.name} asks for no ziglang; mend this script.")
    hashes.write_text(changed, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status of the first command that failed, or 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without", action="store_true", help="ziglang cannot be had either")
    parser.add_argument("--all", action="store_true", help="the whole `make test`")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="equivlab-clone-") as name:
        clone, programs = Path(name) / "clone", Path(name) / "bin"
        programs.mkdir()
        git = ["git", "clone", "--quiet", str(ROOT), str(clone)]
        subprocess.run(git, check=True)
        if given.without:
            make_unreachable(clone / "hashes.txt")
        dropped = ("CC", "EQUIVLAB_KERNEL", "PYTHONPATH", "VIRTUAL_ENV")
        env = {name: value for name, value in os.environ.items() if name not in dropped}
        env["PATH"] = path_without_compilers(programs, os.environ["PATH"])
        python = str(clone / ".venv" / "bin" / "python")
        some = [python, "-m", "pytest", "-rs", "-n", "0", *TESTS]
        for command in (
            [sys.executable, "tools/install.py", "test"],
            [python, "tools/check_kernel.py", *(["--absent"] if given.without else [])],
            ["make", "test"] if given.all else some,
        ):
            done = subprocess.run(command, cwd=clone, env=env)
            if done.returncode:
                return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
