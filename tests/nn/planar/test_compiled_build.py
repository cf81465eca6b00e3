"""Compiling the kernel: by whom, when again, and what is without it."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import hatch_build
from equivlab import processor
from equivlab.nn.planar.compiled import library
from equivlab.nn.planar.compiled.finer import finer_by_size
from equivlab.nn.planar.compiled.library import Library, Problem
from equivlab.nn.planar.compiled.places import places
from tests.nn.planar.ways import never
from tools import check_kernel

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / hatch_build.FOLDERS[0] / "kernel.c"
needs_compiler = pytest.mark.skipif(
    hatch_build.own_compiler() is None, reason="no C compiler is here"
)
needs_zig = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="ziglang is not installed"
)
known = pytest.mark.skipif(
    platform.machine().lower() not in hatch_build.BUILDS, reason="no build for this processor"
)


@pytest.fixture(name="folder")
def a_folder(tmp_path: Path) -> Path:
    for path in (SOURCE, *SOURCE.parent.glob("*.h")):
        shutil.copy(path, tmp_path)
    return tmp_path


def works(path: Path) -> bool:
    """Whether a build that this processor can run gives a convolution's numbers."""
    kernel = Library(path)
    torch.manual_seed(0)
    x, weight = torch.randn(1, 2, 8, 5, 5), torch.randn(3, 16, 1, 1)
    sizes = (8, 8, 1, 2, 3, 5, 5, 1, 1, 0, 1, 5, 5, 1)
    problem = Problem(*sizes, places=places(8, 1), finer=finer_by_size(8, 8))
    found = kernel.forward(problem, x, kernel.pack(problem, weight), None)
    first = torch.einsum("oi,ihyx->oyx", weight[..., 0, 0], x[0].flatten(0, 1)[:, None])
    return torch.allclose(found[0, :, 0], first, atol=1e-5)


def runnable(paths: list[Path]) -> Path:
    """The build for this processor."""
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return next(path for path in paths if wide or "512" not in path.name)


@known
@needs_compiler
def test_the_own_compiler_makes_every_build(folder: Path) -> None:
    made = hatch_build.compile_kernel(folder)
    names = hatch_build.BUILDS[platform.machine().lower()]
    assert [path.name for path in made] == [f"kernel-{name}{hatch_build.SUFFIX}" for name in names]
    assert works(runnable(made))
    assert not list(folder.glob("*.part"))


@known
@needs_compiler
def test_a_build_of_other_sources_is_not_called(folder: Path) -> None:
    """It would read the sizes of a problem where they are not: the ordinary way is taken."""
    header = folder / "panels.h"
    text = header.read_text(encoding="utf-8")
    assert "    Long copies;" in text
    header.write_text(text.replace("    Long copies;", "    Long more, copies;"), encoding="utf-8")
    with pytest.raises(OSError, match=r"other sources: python hatch_build\.py"):
        Library(runnable(hatch_build.compile_kernel(folder)))


@known
@needs_compiler
@pytest.mark.parametrize("changed", ["kernel.c", "panels.h"])
def test_a_build_older_than_its_source_is_made_again(folder: Path, changed: str) -> None:
    first, *_ = hatch_build.compile_kernel(folder)
    before = first.stat().st_mtime_ns
    hatch_build.compile_kernel(folder)
    assert first.stat().st_mtime_ns == before
    later = before / 1e9 + 10
    os.utime(folder / changed, (later, later))
    os.utime(first, (before / 1e9 - 10,) * 2)
    hatch_build.compile_kernel(folder)
    assert first.stat().st_mtime_ns != before - 10 * 10**9


def test_without_any_compiler_nothing_is_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = folder / f"kernel-avx2{hatch_build.SUFFIX}"
    stale.touch()
    os.utime(stale, (0, 0))
    monkeypatch.setattr(hatch_build, "own_compiler", lambda: None)
    monkeypatch.setattr(hatch_build, "zig_compiler", lambda: None)
    assert hatch_build.compile_kernel(folder) == []
    assert not stale.exists() or platform.machine().lower() not in ("x86_64", "amd64")


@pytest.mark.parametrize("compiler", [[sys.executable, "-c", "raise SystemExit(1)"], ["/nowhere"]])
def test_a_compiler_that_fails_does_no_harm(
    folder: Path, monkeypatch: pytest.MonkeyPatch, compiler: list[str]
) -> None:
    monkeypatch.setattr(hatch_build, "own_compiler", lambda: compiler)
    monkeypatch.setattr(hatch_build, "zig_compiler", lambda: None)
    assert hatch_build.compile_kernel(folder) == []
    assert {path.suffix for path in folder.iterdir()} == {".c", ".h"}


def test_zig_is_asked_for_only_where_no_compiler_is(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = object.__new__(hatch_build.WheelBuildHook)
    monkeypatch.delenv("EQUIVLAB_KERNEL", raising=False)
    monkeypatch.setattr(hatch_build, "own_compiler", lambda: ["cc"])
    assert hook.dependencies() == []
    monkeypatch.setattr(hatch_build, "own_compiler", lambda: None)
    assert hook.dependencies() == [hatch_build.ZIG]
    monkeypatch.setenv("EQUIVLAB_KERNEL", "0")
    assert hook.dependencies() == []


@pytest.mark.slow
@known
@needs_zig
def test_zig_makes_it_where_no_compiler_is_in_the_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "empty").mkdir()
    monkeypatch.setenv("PATH", str(folder / "empty"))
    monkeypatch.delenv("CC", raising=False)
    assert hatch_build.own_compiler() is None
    assert works(runnable(hatch_build.compile_kernel(folder)))


SWITCHED_OFF = """
import json, torch, equivlab
layer = equivlab.nn.GroupConv2d(equivlab.P4M, 8, 8, 3)
x = torch.ones(4, 8, 8, 28, 28)
print(json.dumps([layer.route(x), list(layer(x).shape), equivlab.show_config()]))
"""


def test_it_can_be_switched_off() -> None:
    environment = {**os.environ, "EQUIVLAB_KERNEL": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SWITCHED_OFF]
    said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    way, shape, config = json.loads(said)
    assert way == "conv2d: no compiled kernel"
    assert shape == [4, 8, 8, 26, 26]
    assert "switched off" in config


def test_the_installed_kernel_is_checked() -> None:
    there = library.load() is not None
    assert (check_kernel.main([]) is None) == there
    assert (check_kernel.main(["--absent"]) is None) != there
    with never():
        assert check_kernel.main(["--absent"]) is None
        assert check_kernel.main([]) == "P4 should take 'kernel'"


# Every case reads and writes blocks of its own, ended by what the sanitizers watch.
DRIVER = r"""
#include <stdio.h>
#include <stdlib.h>
#include "kernel.c"
static float *noise(Long n) {
    float *p = malloc(sizeof(float) * n);
    for (Long i = 0; i < n; i++) p[i] = (float)(i * 7919 % 101) / 50 - 1;
    return p;
}
#include <pthread.h>
static unsigned teams;
/* Like OpenMP's: so many threads, the caller one of them, and back when all are done. */
typedef struct { void (*work)(void *); void *job; } Call;
static void *run(void *given) {
    Call *call = given;
    call->work(call->job);
    return NULL;
}
static void together(void (*work)(void *), void *job, unsigned threads, unsigned flags) {
    pthread_t others[8];
    Call call = {work, job};
    teams += flags + 1;
    for (unsigned n = 1; n < threads; n++) pthread_create(&others[n], NULL, run, &call);
    work(job);
    for (unsigned n = 1; n < threads; n++) pthread_join(others[n], NULL);
}
int main(void) {
    int taps[8 * 49], places[49 * 8], maps[16];
    double sum = 0;
    for (Long n = 0; n < 2 * 4 * 3 * 2 * 3 * 5; n += 7) {
        Long group = n % 2 ? 8 : 4, k = n / 2 % 4 * 2 + 1, s = n / 8 % 3 + 1, d = n / 24 % 2 + 1;
        Long pad = n / 48 % 3 * 2, out = n / 144 * 3 + 1, in = 4 - n % 4, batch = 1 + n % 11;
        Long height = d * (k - 1) + 1 + n % 7, width = d * (k - 1) + 1 + n % 29;
        /* Some are of a finer group: two fields are one, whose maps take turns. */
        Long copies = n % 4 == 3 ? 2 : 1;
        in *= copies, out *= copies;
        for (Long t = 0; t < copies * group; t++)
            maps[t] = (int)(t % group * copies + t / group);
        Long rows = (height + 2 * pad - d * (k - 1) - 1) / s + 1;
        Long columns = (width + 2 * pad - d * (k - 1) - 1) / s + 1;
        /* Some are images: one map in a field, half the taps, and not all numbers are there. */
        Long sheets = n % 5 == 1 ? 1 : group, one = sheets * k * k;
        Long count = sheets > 1 ? k * k : (k * k + 1) / 2;
        for (Long t = 0; t < group * count; t++) taps[t] = (int)(k * k - 1 - t % (k * k));
        for (Long t = 0; t < group * count; t++)
            places[t] = sheets == 1 && t % 4 ? -1 : (int)(one - 1 - t % one);
        Problem p = {group, sheets, batch, in, out, height, width, k, s, pad, d, rows, columns,
                     1 + n % 3, count, taps, copies, maps};
        Long filters = out * in * one, area = batch * group * rows * columns;
        float *x = noise(batch * in * sheets * height * width), *y = noise(out * area);
        float *weight = noise(filters), *change = noise(filters), *bias = noise(out);
        float *matrices = noise(equivlab_matrices(&p));
        equivlab_pack(&p, weight, in * one, one, places, matrices);
        float *room = noise(equivlab_forward_scratch(&p));
        equivlab_forward(&p, x, matrices, bias, n % 2, y, room, n % 5 ? together : NULL);
        float *again = noise(out * area), *both = noise(equivlab_convolve_scratch(&p));
        equivlab_convolve(&p, x, weight, in * one, one, places, bias, again,
                          both, n % 5 ? together : NULL);
        if (n % 2 == 0 && memcmp(y, again, sizeof(float) * out * area)) return 2;
        float *more = noise(equivlab_gradient_scratch(&p));
        equivlab_weight_gradient(&p, x, y, places, change, more, n % 5 ? together : NULL);
        for (Long i = 0; i < out * area; i++) sum += y[i];
        for (Long i = 0; i < filters; i++) sum += change[i];
        free(x), free(y), free(weight), free(change), free(bias);
        free(matrices), free(room), free(more), free(again), free(both);
    }
    return !(sum == sum && teams);
}
"""


@known
@needs_compiler
@pytest.mark.parametrize("sizes", [[], hatch_build.SMALL], ids=["512", "256"])
@pytest.mark.parametrize("kind", ["address,undefined", "thread"])
def test_under_sanitizers(folder: Path, sizes: list[str], kind: str) -> None:
    """No access outside a block, no undefined behaviour, no race, over a grid of cases."""
    (folder / "driver.c").write_text(DRIVER)
    command: list[Any] = [*hatch_build.own_compiler(), "-O0", "-g", "-std=gnu11", *sizes]
    command += [f"-fsanitize={kind}", "-fno-sanitize-recover=all", "-w", "-pthread"]
    command += [folder / "driver.c", "-o", folder / "driver"]
    done = subprocess.run(command, capture_output=True, text=True)
    libraries = ("libasan", "lasan", "libtsan", "ltsan")
    if done.returncode and any(name in done.stderr for name in ("-fsanitize", *libraries)):
        pytest.skip("this compiler has no sanitizers")
    assert done.returncode == 0, done.stderr
    environment = {**os.environ, "TSAN_OPTIONS": "halt_on_error=1"}  # of many, the first
    ran = subprocess.run([folder / "driver"], capture_output=True, text=True, env=environment)
    if "unexpected memory mapping" in ran.stderr:
        pytest.skip("this sanitizer does not know how the system lays out memory")
    assert ran.returncode == 0, ran.stderr


def test_a_broken_build_is_no_kernel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "__file__", str(folder / "library.py"))
    monkeypatch.delenv("EQUIVLAB_KERNEL", raising=False)
    for name in ("avx512", "avx2", "neon"):
        (folder / f"kernel-{name}{processor.SUFFIX}").write_bytes(b"no library")
    assert library.load.__wrapped__() is None
