"""Install equivlab from this folder, without a network, and lay out the course.

    python3 install.py            into .venv and lessons, beside this file
    python3 install.py --lab      and open JupyterLab

It needs Python alone, of the version that README.txt names. Call it again after a stop, and it
goes on; notebooks that you changed are kept.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent
VENV = HOME / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMP = VENV / "equivlab-installed"  # written last
LESSONS = HOME / "lessons"
# JupyterLab asks at its first start, and over the widget, whether it may fetch news.
SETTINGS = VENV / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}


def main() -> None:
    bundle = json.loads((HOME / "bundle.json").read_text(encoding="utf-8"))
    if fault := misfit(bundle):
        sys.exit(f"equivlab: {fault}")
    if not STAMP.exists() or STAMP.read_text(encoding="utf-8") != bundle["digest"]:
        print(
            "equivlab: installing into .venv; this takes some minutes, and no network", flush=True
        )
        install(bundle["digest"])
    copy = [str(BIN / "python"), "-I", "-m", "equivlab", "course", str(LESSONS)]
    said = run(copy, "copy the course")
    print("\n".join(line for line in said.splitlines() if not line.startswith("Next:")))
    first = min((LESSONS / "notebooks").glob("*.ipynb"))
    command = [str(BIN / "jupyter"), "lab", str(first)]
    print("Open it with:  " + " ".join(f'"{word}"' if " " in word else word for word in command))
    if "--lab" in sys.argv:
        sys.exit(subprocess.run(command).returncode)


def misfit(bundle: dict[str, str]) -> str:
    """Why these files are not for this machine; empty where they are."""
    here = here_is()
    wrong = [f"{here[key]}, not {bundle[key]}" for key in here if here[key] != bundle[key]]
    if not wrong:
        return ""
    wanted = f"{bundle['system']} on {bundle['machine']} and Python {bundle['python']}"
    return (
        f"these files are for {wanted}; this is {' and '.join(wrong)}. Call install.py with that "
        "Python, or take the files for this machine (`make bundle` on one like it writes them)."
    )


def here_is() -> dict[str, str]:
    """What the wheels must fit."""
    version = ".".join(map(str, sys.version_info[:2]))
    return {"system": platform.system(), "machine": platform.machine(), "python": version}


def install(digest: str) -> None:
    """A new environment, and every wheel in it, checked against its hash."""
    make = [sys.executable, "-I", "-m", "venv", "--clear", "--without-pip", str(VENV)]
    run(make, "make .venv (on Debian and Ubuntu, python3-venv is a package of its own)")
    (pip,) = (HOME / "wheels").glob("pip-*.whl")  # it runs as it lies there
    command = [str(BIN / "python"), "-I", str(pip / "pip"), "--isolated", "install", "--quiet"]
    command += ["--no-index", "--no-cache-dir", "--disable-pip-version-check", "--require-hashes"]
    command += ["--find-links", str(HOME / "wheels")]
    run([*command, "--requirement", str(HOME / "requirements.txt")], "install the wheels")
    SETTINGS.parent.mkdir(parents=True, exist_ok=True)
    SETTINGS.write_text(json.dumps(QUIET), encoding="utf-8")
    STAMP.write_text(digest, encoding="utf-8")


def run(command: list[str], what: str) -> str:
    """What a command says, or the end with the reason."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(
            f"equivlab: could not {what}; the message is above. Nothing is lost: call install.py "
            "again."
        )
    return done.stdout


if __name__ == "__main__":
    main()
