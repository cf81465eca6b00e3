"""Make one archive for laptops without a network: ``make bundle``.

    python -m tools.bundle                  build/equivlab-0.1.0-….zip
    python -m tools.bundle --folder there   there instead

It holds the wheels of all that `make lab` installs, with torch's CPU build, for this system and
this Python; their hashes; and ``install.py``, which needs no network and no pip. The notebooks come
with equivlab's own wheel.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import equivlab
from tools import install
from tools.offline_install import here_is

ROOT = Path(__file__).resolve().parent.parent
COMPILED = 1.25  # what Python's own compiled files add, at most: 1.8 GB became 2.2
README = """\
equivlab {version}: the course, for machines without a network.

These files are for {system} on {machine} with Python {python}.
Installed they take {space:.1f} GB more.

1. Unpack the archive where you can write.
2. In its folder:  python{python} install.py --lab
   (on Windows:  py -{python} install.py --lab)

The notebooks are then in the folder lessons. The same command opens them again. It never changes a
notebook that you worked on.
"""


def collect(wheels: Path) -> None:
    """Put every wheel into the folder; pip checks what comes from an index against hashes.txt."""
    wheels.mkdir(parents=True, exist_ok=True)
    # hatchling and setuptools are in .venv: what comes as source alone is built with them.
    get = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    wanted = wheels.parent / "wanted.txt"
    wanted.write_text(install.hashed("lab") + install.hashed("installer", "pip"), encoding="utf-8")
    install.pip(*get, "--require-hashes", "--requirement", str(wanted))
    wanted.unlink()
    version = install.pinned("torch")
    ask = ["install", "--dry-run", "--ignore-installed", "--no-deps", f"torch=={version}"]
    report = json.loads(install.pip_output(*ask))
    install.pip(*get, *install.torch_request(report, version, driver=False))
    for old in wheels.glob("equivlab-*.whl"):
        old.unlink()
    install.pip(*get, str(ROOT))


def requirements(wheels: Path) -> str:
    """A line for each wheel, with its hash."""
    lines = []
    for path in sorted(wheels.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        extra = "[lab]" if name == "equivlab" else ""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{name}{extra}=={version} --hash=sha256:{digest}\n")
    return "".join(lines)


def lay_out(folder: Path) -> None:
    """Write what stands beside the wheels."""
    text = requirements(folder / "wheels")
    (folder / "requirements.txt").write_text(text, encoding="utf-8")
    about = here_is() | {"digest": hashlib.sha256(text.encode()).hexdigest()}
    (folder / "bundle.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(ROOT / "tools" / "offline_install.py", folder / "install.py")
    unpacked = sum(
        each.file_size
        for path in (folder / "wheels").glob("*.whl")
        for each in zipfile.ZipFile(path).infolist()
    )
    space = COMPILED * unpacked / 1e9
    readme = README.format(version=equivlab.__version__, space=space, **about)
    (folder / "README.txt").write_text(readme, encoding="utf-8")


def check(folder: Path) -> None:
    """Whether the wheels are all that is needed: pip resolves them, and asks nobody."""
    command = ["--isolated", "install", "--dry-run", "--quiet", "--ignore-installed"]
    command += ["--no-index", "--require-hashes", "--find-links", str(folder / "wheels")]
    command += ["--requirement", str(folder / "requirements.txt")]
    subprocess.run([*install.pip_command(), *command], check=True)


def pack(folder: Path) -> Path:
    """The archive, put in its place when it is whole. Wheels are compressed already."""
    target = folder.with_name(folder.name + ".zip")
    part = target.with_name(target.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
    part.replace(target)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "build")
    here = here_is()
    name = f"equivlab-{equivlab.__version__}-{here['system']}-{here['machine']}-py{here['python']}"
    folder = parser.parse_args().folder.resolve() / name.lower()
    collect(folder / "wheels")
    lay_out(folder)
    check(folder)
    archive = pack(folder)
    shutil.rmtree(folder)
    print(f"{archive}: {archive.stat().st_size / 1e6:.0f} MB. Unpack it, then: python3 install.py")


if __name__ == "__main__":
    sys.exit(main())
