"""The compiled transform on SO(3) against the one of PyTorch, and under the sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import hatch_build
from equivlab.processor import parallel
from equivlab.sphere import so3_fft, so3_ifft
from equivlab.sphere.compiled import transform
from equivlab.sphere.so3_routes import gemm_route

SOURCE = Path(__file__).resolve().parents[2] / hatch_build.FOLDERS[1]
CASES = [(1, 1, 2, 2), (2, 2, 1, 5), (3, 2, 3, 5), (5, 5, 2, 9), (8, 3, 4, 4), (10, 6, 1, 17)]
needs_kernel = pytest.mark.skipif(
    transform.load() is None, reason="the kernel was not compiled, or EQUIVLAB_KERNEL=0"
)


@pytest.fixture(name="threads", params=[1, 2])
def some_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    if request.param > 1 and parallel() is None:
        pytest.skip("torch has no OpenMP to share")
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def signals(bandwidth: int, batch: int, channels: int) -> Tensor:
    generator = torch.Generator().manual_seed(bandwidth)
    return torch.randn(batch, channels, *3 * (2 * bandwidth,), generator=generator)


def largest(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.abs().max())


@needs_kernel
@pytest.mark.parametrize(("bandwidth", "degrees", "batch", "channels"), CASES)
@pytest.mark.usefixtures("threads")
def test_the_same_numbers(
    bandwidth: int, degrees: int, batch: int, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways and both gradients, in float32, against PyTorch in float64."""
    monkeypatch.setattr("equivlab.processor.LEAST_WORK", 1)  # threads for the smallest, too
    x = signals(bandwidth, batch, channels)
    there = gemm_route(bandwidth, degrees, True, torch.float32, x.device)
    assert transform.fits(there, [x], batch * channels)
    values = []
    for exact in (x.double(), x):
        given = exact.requires_grad_()
        spectrum = so3_fft(given, lmax=degrees - 1)
        back = so3_ifft(spectrum, bandwidth)
        (gradient,) = torch.autograd.grad(back.sin().sum(), given, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), given)
        values.append([*spectrum, back, gradient, second])
    for wanted, found in zip(*values, strict=True):
        assert largest(found.detach(), wanted.detach()) < 2e-6


@needs_kernel
@pytest.mark.usefixtures("threads")
def test_bit_for_bit_again() -> None:
    x = signals(6, 8, 8)
    first, again = so3_fft(x), so3_fft(x)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert torch.equal(so3_ifft(first), so3_ifft(again))


@needs_kernel
def test_what_it_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    x = signals(4, 2, 8)
    there = gemm_route(4, 4, True, torch.float32, x.device)
    assert transform.fits(there, [x], 16)
    assert not transform.fits(there, [x], 3)
    assert not transform.fits(there, [x.double()], 16)
    assert not transform.fits(there, [torch._neg_view(x)], 16)
    assert not transform.fits(there, [x.to("meta")], 16)
    monkeypatch.setattr(transform, "load", lambda: None)
    assert not transform.fits(there, [x], 16)
    assert largest(so3_ifft(so3_fft(x)), so3_ifft(so3_fft(x.double()))) < 2e-6


@needs_kernel
def test_strange_memory() -> None:
    x = signals(3, 2, 4)
    wanted = so3_fft(x)
    for strange in (x.transpose(0, 1).contiguous().transpose(0, 1), torch._neg_view(-x)):
        found = so3_fft(strange)
        assert all(largest(a, b) < 1e-6 for a, b in zip(found, wanted, strict=True))


DRIVER = r"""
#include <stdlib.h>
#include "kernel.c"
static float *noise(Long n) {
    float *p = malloc(sizeof(float) * n);
    for (Long i = 0; i < n; i++) p[i] = (float)(i * 7919 % 101) / 50 - 1;
    return p;
}
int main(void) {
    double sum = 0;
    for (Long t = 0; t < 24; t++) {
        const Long b = 1 + t % 5, L = 1 + t % b, n = 2 * b, K = 2 * L - 1;
        const Long batch = 1 + t % 3, channels = 1 + t % 7, signals = batch * channels;
        float *polar = noise(K * K * 2 * L * n), *waves = noise(K * n);
        float *x = noise(signals * n * n * n);
        const Plan p = {b, L, batch, channels, 1, polar, waves};
        float *room = noise(equivlab_room(&p)), *blocks[5];
        for (Long l = 0; l < L; l++) blocks[l] = noise(signals * (2 * l + 1) * (2 * l + 1));
        equivlab_project(&p, x, blocks, room, 0);
        equivlab_expand(&p, x, blocks, room, 0);
        for (Long i = 0; i < signals * n * n * n; i++) sum += x[i];
        for (Long l = 0; l < L; l++) free(blocks[l]);
        free(polar), free(waves), free(x), free(room);
    }
    return sum != sum;
}
"""


@pytest.mark.skipif(hatch_build.own_compiler() is None, reason="no C compiler is here")
@pytest.mark.parametrize("size", [64, 32, 16])
def test_under_sanitizers(tmp_path: Path, size: int) -> None:
    """No read or write outside a block, no undefined behaviour."""
    for path in SOURCE.glob("*.[ch]"):
        shutil.copy(path, tmp_path)
    (tmp_path / "driver.c").write_text(DRIVER)
    command: list[Any] = [*(hatch_build.own_compiler() or []), "-O0", "-g", "-std=gnu11", "-w"]
    command += [f"-DVB={size}", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command += [tmp_path / "driver.c", "-o", tmp_path / "driver"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and any(name in done.stderr for name in ("-fsanitize", "libasan", "lasan")):
        pytest.skip("this compiler has no sanitizers")
    assert done.returncode == 0, done.stderr
    ran = subprocess.run([tmp_path / "driver"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
