"""Make .venv and install equivlab in it, with the build of torch that suits this machine.

    python tools/install.py lab     what `make lab` needs
    python tools/install.py test    that, and what `make test` needs

It uses the standard library only. On Linux, pip's ordinary torch brings gigabytes of CUDA
packages; a machine without an NVIDIA driver gets the CPU build instead, or a clear message,
and one with a driver gets the CUDA build. All but torch, and what its CUDA build brings, is checked
against hashes.txt. When nothing has changed since the last complete
install, it says nothing and returns at once, without the network.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CONSTRAINTS = ROOT / "constraints.txt"
HASHES = ROOT / "hashes.txt"
COMPILED = ("equivlab/nn/planar/compiled", "equivlab/sphere/compiled")
SOURCES = (path for name in COMPILED for path in sorted((ROOT / name).glob("*.[ch]")))
KERNEL = (ROOT / "hatch_build.py", *SOURCES)
STAMP = VENV / "equivlab-installed"  # written last: what the complete install was made from
STARTED = VENV / "equivlab-install-started"  # still there: an install was cut off
HASHED = VENV / "equivlab-hashed.txt"  # the part of hashes.txt that an install asks for
TORCH_HELD = VENV / "equivlab-torch.txt"  # a constraint: the very build that is installed

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROFILES = ("lab", "test")  # each holds the ones before it


class InstallError(Exception):
    """An install that cannot go on; the message says what to do."""


def main(profile: str) -> None:
    """Bring .venv up to date for `profile`, unless it is already."""
    if is_current(profile):
        return
    make_venv()
    STAMP.unlink(missing_ok=True)
    STARTED.touch()
    say("installing into .venv; a first install takes some minutes and about 2 GB")
    install_hashed(hashed("installer") + hashed("lab", "packaging", "setuptools"))
    if sys.platform == "linux":
        install_torch(pinned("torch"), has_nvidia_driver())
    # hatchling builds equivlab and setuptools what comes as source alone (lenstronomy), so
    # no build needs an environment, or a download, of its own.
    for heading in PROFILES[: PROFILES.index(profile) + 1]:
        install_hashed(hashed(heading))
    options = ("--constraint", str(CONSTRAINTS), *hold_torch(), "--no-build-isolation")
    with tempfile.TemporaryDirectory() as folder:
        pip("install", *options, "--editable", f"{ROOT}[{profile}]", path=a_compiler(folder))
    STAMP.write_text(f"{profile} {fingerprint()}\n")
    STARTED.unlink()
    say("installed")


def is_current(profile: str) -> bool:
    """Whether the last complete install covers `profile` and was made from today's files."""
    if not (STAMP.exists() and PYTHON.exists()):
        return False
    installed, _, made_from = STAMP.read_text().strip().partition(" ")
    covers = installed in PROFILES and PROFILES.index(installed) >= PROFILES.index(profile)
    return covers and made_from == fingerprint()


def fingerprint() -> str:
    """A digest of all that decides what is installed, the place and the Python included."""
    digest = hashlib.sha256(str(ROOT).encode())
    settings = (ROOT / "pyproject.toml", CONSTRAINTS, HASHES, Path(__file__), VENV / "pyvenv.cfg")
    for path in (*settings, *KERNEL):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make_venv() -> None:
    """Create .venv, or empty and refill one that is broken or was cut off."""
    if PYTHON.exists() and not STARTED.exists() and subprocess.run(probe()).returncode == 0:
        return
    if not (3, 11) <= sys.version_info < (3, 14):
        version = ".".join(map(str, sys.version_info[:3]))
        raise InstallError(f"equivlab needs Python 3.11, 3.12 or 3.13, and this is {version}.")
    say(f"making .venv with Python {sys.version.split()[0]}")
    if subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)]).returncode:
        raise InstallError(
            "Python could not make .venv (its message is above). On Debian and Ubuntu the venv\n"
            "module is a package of its own: apt install python3-venv. Then call make again."
        )


def probe() -> list[str]:
    """The command that succeeds in a usable .venv: a Python that fits, and pip."""
    code = "import sys, pip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))"
    return [str(PYTHON), "-c", code]


def install_torch(version: str, driver: bool) -> None:
    """Install the build of torch that suits the machine, or stop if there is none."""
    report = json.loads(pip_output("install", "--dry-run", "--no-deps", f"torch=={version}"))
    request = torch_request(report, version, driver)
    if not request:
        return
    say("torch: " + ("the CUDA build" if driver else "the CPU build"))
    try:
        pip("install", *request)
    except InstallError as error:
        if driver:
            say("no CUDA build of torch was found, so this machine's GPU will stay unused")
            return
        raise InstallError(
            f"No CPU build of torch {version} was found for Python {sys.version.split()[0]}, and\n"
            "CUDA packages are not wanted on a machine without an NVIDIA driver. Check that\n"
            f"{CPU_INDEX} can be reached, or put a CPU wheel\n"
            "of torch where pip looks (PIP_FIND_LINKS=/some/folder), and call make again."
        ) from error


def install_hashed(requirements: str, *more: str) -> None:
    """Install requirements that carry hashes; a file with another hash is refused.

    Without what they depend on: each of those has a line of its own.
    """
    HASHED.write_text(requirements, encoding="utf-8")
    options = ("--require-hashes", "--no-deps", "--no-build-isolation")
    pip("install", *options, *more, "--requirement", str(HASHED))


def hashed(heading: str, *names: str) -> str:
    """The requirements under a heading of hashes.txt; all, or those with these names."""
    sections = re.split(r"^# -- (.+) --\n", HASHES.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = dict(zip(sections[1::2], sections[2::2], strict=True))
    if heading not in found:
        raise InstallError(f"hashes.txt has no heading `# -- {heading} --`; restore it.")
    blocks = re.findall(r"^[A-Za-z0-9].*\n(?: .*\n)*", found[heading], re.MULTILINE)
    return "".join(block for block in blocks if not names or block.partition("==")[0] in names)


def a_compiler(folder: str) -> str:
    """What PYTHONPATH must name for hatch_build.py to find a C compiler; in `folder` if need be.

    The one in the package ``ziglang`` is some 100 MB, 300 unpacked, wanted for seconds only, so
    it is put apart and thrown away. Where it cannot be had, equivlab works without its kernel.
    """
    names = ("cc", "gcc", "clang") if os.name != "nt" else ()
    if any(map(shutil.which, names)) or os.environ.get("EQUIVLAB_KERNEL") == "0":
        return ""
    say("no C compiler is here; fetching one for the build")
    try:
        install_hashed(hashed("compiler"), "--target", folder)
    except InstallError:
        say("it cannot be had, so group convolutions stay at torch's own speed")
    return folder


def hold_torch() -> list[str]:
    """The option that keeps pip from trying, or even downloading, another build of torch."""
    code = "from importlib.metadata import version; print(version('torch'))"
    command = [str(PYTHON), "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if done.returncode:
        return []  # not there yet: where there is one build only, pip installs it with the rest
    TORCH_HELD.write_text(f"torch=={done.stdout.strip()}\n")
    return ["--constraint", str(TORCH_HELD)]


def torch_request(report: dict[str, Any], version: str, driver: bool) -> list[str]:
    """What to ask pip for so as to get the torch that suits the machine.

    Args:
        report: pip's report of what it would install for `torch==version`, without the rest.
        version: the release wanted, say `2.13.0`.
        driver: whether the machine has a working NVIDIA driver.

    Returns:
        pip's arguments; none when a fitting torch is already there.
    """
    if not report["install"]:
        return []
    if driver == wants_cuda(report):
        return ["--no-deps", f"torch=={version}"]
    if driver:
        # `===` compares the text, which rules out a local CPU build: 2.13.0+cpu is no 2.13.0.
        return ["--no-deps", f"torch==={version}"]
    return ["--no-deps", f"torch=={version}+cpu", "--index-url", CPU_INDEX]


def wants_cuda(report: dict[str, Any]) -> bool:
    """Whether the torch in a pip report asks for CUDA packages."""
    torch = next(item for item in report["install"] if item["metadata"]["name"] == "torch")
    needs = torch["metadata"].get("requires_dist", [])
    return any(need.startswith(("nvidia-", "cuda-")) for need in needs)


def has_nvidia_driver() -> bool:
    """Whether NVIDIA's driver is here and answers, as torch would ask it."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return bool(driver.cuInit(0) == 0)


def pinned(name: str) -> str:
    """The version of `name` in constraints.txt."""
    found = re.search(rf"^{name}==([^\s;]+)", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise InstallError(f"constraints.txt has no line `{name}==...`; restore it.")
    return found.group(1)


def pip(*arguments: str, path: str = "") -> None:
    """Run pip in .venv, its builds with `path` to import from; its own messages stay visible."""
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    environment = pip_environment() | ({"PYTHONPATH": path} if path else {})
    if subprocess.run([*pip_command(), *quiet, *arguments], env=environment).returncode:
        raise InstallError(
            "pip stopped; its message is above. Without a network, only a second call works.\n"
            "Nothing is lost: call make again and it starts over."
        )


def pip_output(*arguments: str) -> str:
    """Run pip in .venv and return the report it writes."""
    command = [*pip_command(), "--quiet", *arguments, "--report", "-"]
    done = subprocess.run(command, env=pip_environment(), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise InstallError("pip found no torch to install; its message is above.")
    return done.stdout


def pip_command() -> list[str]:
    return [str(PYTHON), "-m", "pip"]


def pip_environment() -> dict[str, str]:
    """The user's own settings, mirrors included, less what a virtual environment forbids."""
    return {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def say(message: str) -> None:
    print(f"equivlab: {message}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PROFILES:
        sys.exit(f"usage: python tools/install.py {'|'.join(PROFILES)}")
    try:
        main(sys.argv[1])
    except InstallError as error:
        sys.exit(f"equivlab: {error}")
