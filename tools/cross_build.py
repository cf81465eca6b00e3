"""Compile the kernels for other systems with zig; run those for ARM in an emulator, where one is.

PYTHONPATH=folder-with-ziglang python -m tools.cross_build

Compiled for Linux, macOS and Windows on x86-64 and ARM. Under `qemu-aarch64` the NEON builds of
both kernels, by `aarch64-linux-gnu-gcc` or by zig, convolve and transform what PyTorch has
convolved and transformed here. `--emulate` does that alone.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hatch_build
from equivlab.groups import P4, P4M
from equivlab.nn import GroupConv2d
from equivlab.nn.planar.compiled.places import places
from equivlab.sphere import so3_fft, so3_ifft
from equivlab.sphere.so3_routes import gemm_route

ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = {
    "x86_64-linux-gnu": hatch_build.X86,
    "aarch64-linux-gnu": hatch_build.ARM,
    "x86_64-macos": hatch_build.X86,
    "aarch64-macos": hatch_build.ARM,
    "x86_64-windows-gnu": hatch_build.X86,
    "aarch64-windows-gnu": hatch_build.ARM,
}
READER = r"""
#include "kernel.c"
#include <stdio.h>
#include <stdlib.h>
static void *next(FILE *file) { /* numbers of four bytes, after their count */
    int count;
    if (fread(&count, 4, 1, file) != 1) exit(3);
    void *found = malloc(4 * (size_t)count + 4);
    if (fread(found, 4, count, file) != (size_t)count) exit(4);
    return found;
}
static double off(const float *found, const float *wanted, Long count) {
    double most = 0, scale = 0;
    for (Long n = 0; n < count; n++) {
        const double error = found[n] - wanted[n], size = wanted[n];
        most = error > most ? error : -error > most ? -error : most;
        scale = size > scale ? size : -size > scale ? -size : scale;
    }
    return most / scale;
}
"""
PLANAR = r"""
int main(int count, char **names) {
    FILE *file = fopen(names[count - 1], "rb");
    const int *s = next(file), *taps = next(file), *turned = next(file);
    const Problem p = {s[0], s[1], s[2], s[3], s[4], s[5], 3, 1, 1, 1, s[4], s[5], 1, taps};
    const float *x = next(file), *weight = next(file), *bias = next(file), *wanted = next(file);
    const float *gradient = next(file), *change = next(file);
    const Long one = p.group * 9, outputs = p.batch * p.out * p.group * p.rows * p.columns;
    float *matrices = malloc(4 * equivlab_matrices(&p)), *y = malloc(4 * outputs);
    float *found = malloc(4 * p.out * p.in * one);
    equivlab_pack(&p, weight, p.in * one, one, turned, matrices);
    equivlab_forward(&p, x, matrices, bias, 0, y, malloc(4 * equivlab_forward_scratch(&p)), 0);
    equivlab_weight_gradient(&p, x, gradient, turned, found,
                             malloc(4 * equivlab_gradient_scratch(&p)), 0);
    const double a = off(y, wanted, outputs), b = off(found, change, p.out * p.in * one);
    printf("group of %d: forward %.0e, gradient %.0e off\n", s[0], a, b);
    return !(a < 2e-6 && b < 5e-6);
}
"""
SPHERE = r"""
int main(int count, char **names) {
    FILE *file = fopen(names[count - 1], "rb");
    const int *s = next(file);
    const Long n = 2 * s[0], numbers = s[2] * s[3] * n * n * n;
    double worst = 0;
    for (int synthesis = 0; synthesis < 2; synthesis++) {
        const float *polar = next(file), *waves = next(file);
        float *x = next(file), *blocks[64], *y = malloc(4 * numbers);
        for (int l = 0; l < s[1]; l++) blocks[l] = next(file);
        const Plan p = {s[0], s[1], s[2], s[3], 1, polar, waves};
        float *room = malloc(4 * equivlab_room(&p));
        if (synthesis) {
            equivlab_expand(&p, y, blocks, room, 0);
            worst = most(worst, off(y, x, numbers));
            continue;
        }
        float *found[64];
        for (int l = 0; l < s[1]; l++) found[l] = malloc(4 * numbers);
        equivlab_project(&p, x, found, room, 0);
        for (int l = 0; l < s[1]; l++)
            worst = most(worst, off(found[l], blocks[l], s[2] * s[3] * (2 * l + 1) * (2 * l + 1)));
    }
    printf("transform on SO(3): %.0e off\n", worst);
    return !(worst < 2e-6);
}
"""


def numbers(*arrays: torch.Tensor | list[int]) -> bytes:
    """As the reader takes them: counts and numbers of four bytes."""
    found = []
    for each in arrays:
        array = each.detach().numpy() if isinstance(each, torch.Tensor) else np.array(each, "i4")
        found += [np.int32(array.size).tobytes(), np.ascontiguousarray(array).tobytes()]
    return b"".join(found)


def planar_case(group: object) -> bytes:
    """A convolution of PyTorch, in float64, and what the kernel needs to do the same."""
    order = {P4: 4, P4M: 8}[group]  # type: ignore[index]
    layer = GroupConv2d(group, 3, 5, 3, padding=1, dtype=torch.float64)  # type: ignore[arg-type]
    x = torch.randn(2, 3, order, 9, 13, dtype=torch.float64)
    y = layer(x)
    gradient = torch.randn_like(y)
    y.backward(gradient)
    tables = places(order, 3)
    floats: list[Any] = [x, layer.weight, layer.bias, y, gradient, layer.weight.grad]
    sizes = [order, 2, 3, 5, 9, 13]
    return numbers(sizes, tables.taps, tables.turned, *(each.float() for each in floats))


def sphere_case(bandwidth: int = 5, degrees: int = 4, batch: int = 2, channels: int = 5) -> bytes:
    """A transform of PyTorch in float64, and its inverse."""
    x = torch.randn(batch, channels, *3 * [2 * bandwidth], dtype=torch.float64)
    blocks = so3_fft(x, lmax=degrees - 1)
    found = numbers([bandwidth, degrees, batch, channels])
    for samples, analysis in ((x, True), (so3_ifft(blocks, bandwidth), False)):
        route = gemm_route(bandwidth, degrees, analysis, torch.float32, x.device)
        parts = [block.transpose(1, 2).float() for block in blocks]
        found += numbers(route.to_beta, route.waves, samples.float(), *parts)
    return found


def arm_compiler() -> list[str] | None:
    """What compiles for Linux on ARM."""
    zig = hatch_build.zig_compiler()
    if shutil.which("aarch64-linux-gnu-gcc"):
        return ["aarch64-linux-gnu-gcc"]
    return None if zig is None else [*zig, "-target", "aarch64-linux-musl"]


def emulate(compiler: list[str], emulator: str, work: Path) -> bool:
    """Whether the NEON builds give PyTorch's numbers."""
    torch.manual_seed(0)
    most = "static double most(double a, double b) { return a > b ? a : b; }\n"
    planar, sphere = hatch_build.FOLDERS
    good = True
    for folder, text, cases in (
        (planar, READER + PLANAR, [planar_case(P4), planar_case(P4M)]),
        (sphere, READER + most + SPHERE, [sphere_case()]),
    ):
        (work / "main.c").write_text(text)
        (_, _, sizes), *_ = hatch_build.ARM.values()
        options = ["-static", "-O2", "-std=gnu11", "-w", *sizes]
        command = [*compiler, *options, f"-I{ROOT / folder}", str(work / "main.c"), "-o"]
        subprocess.run([*command, str(work / "main")], check=True)
        for case in cases:
            (work / "case").write_bytes(case)
            done = subprocess.run([emulator, str(work / "main"), str(work / "case")])
            good &= done.returncode == 0
    return good


def cross_compile(zig: list[str], work: Path) -> list[str]:
    """The builds that zig could not make."""
    failed = []
    for system, builds in SYSTEMS.items():
        for folder in hatch_build.FOLDERS:
            for build, (_, mcpu, sizes) in builds.items():
                source, options = ROOT / folder / "kernel.c", ["-target", system, *mcpu]
                made = hatch_build.build(source, work / "made", zig, options, sizes)
                print(f"{system}: {folder.parts[1]}, {build}: {'made' if made else 'FAILED'}")
                failed += [] if made else [f"{system} {build}"]
    return failed


def main() -> str | None:
    """What is wrong, or None."""
    zig, compiler = hatch_build.zig_compiler(), arm_compiler()
    emulator = shutil.which("qemu-aarch64")
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        if emulator is None or compiler is None:
            print("no qemu-aarch64, or no compiler for ARM, is here: the NEON builds were not run")
        elif not emulate(compiler, emulator, Path(name)):
            failed.append("wrong numbers")
        if zig is not None and "--emulate" not in sys.argv:
            failed += cross_compile(zig, Path(name))
    return ", ".join(failed) or None


if __name__ == "__main__":
    sys.exit(main())
