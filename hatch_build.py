"""Compile the kernels in C while the package is built; put the course in.

There are two, each ``kernel.c`` in a folder of its own. They need a C compiler: the machine's own,
else the one in the package ``ziglang``, which pip then fetches for the build alone. With neither,
the package is built without: all works, by PyTorch alone. ``EQUIVLAB_KERNEL=0`` builds without
them on purpose.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = (Path("equivlab/nn/planar/compiled"), Path("equivlab/sphere/compiled"))
SUFFIX = ".dll" if os.name == "nt" else ".so"
ZIG = "ziglang>=0.13"

# For each build: the processor for GCC and Clang, for zig, and the sizes of its tiles.
SMALL = ["-DVB=32", "-DMR=4", "-DNV=3", "-DGM=3", "-DGK=4"]
WIDE = ["-mprefer-vector-width=512"]
X86 = {
    "avx512": (["-march=x86-64-v4", *WIDE], ["-mcpu=x86_64_v4", *WIDE], []),
    "avx2": (["-march=x86-64-v3"], ["-mcpu=x86_64_v3"], SMALL),
}
ARM: dict[str, tuple[list[str], list[str], list[str]]] = {
    "neon": ([], [], ["-DVB=16", "-DMR=8", "-DNV=2", "-DGM=4", "-DGK=4"])
}
BUILDS = {"x86_64": X86, "amd64": X86, "aarch64": ARM, "arm64": ARM}
OPTIONS = ["-O3", "-std=gnu11", "-ffp-contract=fast", "-shared"]
POSITION_INDEPENDENT = [] if os.name == "nt" else ["-fPIC"]


def own_compiler() -> list[str] | None:
    """The machine's own C compiler; ``CC`` names another."""
    named = os.environ.get("CC", "").split()
    if named and shutil.which(named[0]):
        return named
    if sys.platform == "win32":
        return None  # Microsoft's compiler knows no vector extensions
    return next(([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


def zig_compiler() -> list[str] | None:
    """The C compiler in the package ``ziglang``, if that is installed."""
    found = importlib.util.find_spec("ziglang")
    return [sys.executable, "-m", "ziglang", "cc"] if found else None


def compile_kernel(folder: Path) -> list[Path]:
    """Compile all builds for this kind of processor, where they are older than their source.

    Args:
        folder: where ``kernel.c`` is, and where the builds go.

    Returns:
        The builds that are there now; none where no compiler could make one.
    """
    source, made = folder / "kernel.c", []
    changed = max(path.stat().st_mtime for path in (source, *folder.glob("*.h")))
    for name, (march, mcpu, sizes) in BUILDS.get(platform.machine().lower(), {}).items():
        target = folder / f"kernel-{name}{SUFFIX}"
        fresh = target.exists() and target.stat().st_mtime >= changed
        commands = [(own_compiler(), march), (zig_compiler(), mcpu)]
        if fresh or any(build(source, target, *each, sizes) for each in commands):
            made.append(target)
        else:
            target.unlink(missing_ok=True)  # of another source: its numbers could be wrong
    return made


def build(
    source: Path, target: Path, compiler: list[str] | None, processor: list[str], sizes: list[str]
) -> bool:
    """Whether this compiler made `target`, which is put in its place as a whole."""
    if compiler is None:
        return False
    part = target.with_suffix(f".{os.getpid()}.part")
    command = [*compiler, *OPTIONS, *POSITION_INDEPENDENT, *processor, *sizes]
    try:
        done = subprocess.run(  # noqa: S603, our own command
            [*command, str(source), "-o", str(part)], capture_output=True
        )
        if done.returncode == 0:
            part.replace(target)
        return done.returncode == 0
    except OSError:
        return False
    finally:
        part.unlink(missing_ok=True)


class WheelBuildHook(BuildHookInterface[Any]):
    """What hatchling calls before it packs a wheel, an editable one included."""

    def dependencies(self) -> list[str]:
        """What pip installs for the build."""
        return [] if own_compiler() or switched_off() else [ZIG]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell hatchling what to pack and for which system."""
        self.add_kernel(build_data)
        if version != "editable":  # a checkout has its notebooks beside the package
            self.add_course(build_data)

    def add_course(self, build_data: dict[str, Any]) -> None:
        """The notebooks for students, which ``python -m equivlab course`` copies."""
        self.course = tempfile.TemporaryDirectory(prefix="equivlab-course-")
        write = runpy.run_path(str(Path(self.root) / "tools" / "student.py"))["write_student"]
        write(Path(self.root), Path(self.course.name), self.metadata.version)
        build_data["force_include"][self.course.name] = "equivlab/course/student"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was laid out for packing."""
        if version != "editable":
            self.course.cleanup()

    def add_kernel(self, build_data: dict[str, Any]) -> None:
        """Compile the kernels, and say for which system the wheel is."""
        if switched_off():
            return
        made = [path for folder in FOLDERS for path in compile_kernel(Path(self.root) / folder)]
        if not made:
            kind = platform.machine()
            self.app.display_warning(f"equivlab: no C compiler made the kernel for {kind}.")
            return
        root = Path(self.root)
        build_data["artifacts"] += [f"/{path.relative_to(root).as_posix()}" for path in made]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{system()}"


def switched_off() -> bool:
    """Whether the package is to be built without its kernel."""
    return os.environ.get("EQUIVLAB_KERNEL") == "0"


def system() -> str:
    """The name of this system in the name of a wheel, such as ``linux_x86_64``."""
    from packaging.tags import sys_tags

    return next(
        tag.platform
        for tag in sys_tags()
        if not tag.platform.startswith(("manylinux", "musllinux"))  # say more than was checked
    )


if __name__ == "__main__":
    # python hatch_build.py: compile in this checkout, without installing anything.
    everything = [compile_kernel(Path(__file__).parent / folder) for folder in FOLDERS]
    sys.exit(not all(everything))
