"""HEALPix transforms against healpy's map2alm: time, gradients, accuracy.

    python benchmarks/healpix.py [--repeats 7]

CPU time of this process at one thread, the contestants taking turns, medians. All at
``lmax = 2·nside``, three iterations, ring weights, float32 maps; healpy takes the maps of a
batch one after the other, as it must. Ours with tuned steps, its default, and once with healpy's.
Then the difference from healpy at the same settings, and the error from the truth.
"""

from __future__ import annotations

import argparse
import math

import healpy
import numpy as np
import torch
from timing import in_turns, milliseconds
from torch import Tensor

from equivlab.sphere import healpix_isht, healpix_sht

NSIDES = (16, 32, 64, 128)
BATCHES = (1, 16, 64)


def speed(nside: int, batch: int, repeats: int) -> str:
    """One row of the table of times."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 12 * nside**2, generator=generator)
    maps = x.numpy()
    lmax = 2 * nside

    def forward_and_backward(route: str) -> None:
        leaf = x.clone().requires_grad_()
        healpix_sht(leaf, route=route).square().sum().backward()

    spent = in_turns(
        {
            "healpy": lambda: [healpy.map2alm(m, lmax=lmax, use_weights=True) for m in maps],
            "ducc": lambda: healpix_sht(x, route="ducc"),
            "same": lambda: healpix_sht(x, route="ducc", tuned=False),
            "ducc both": lambda: forward_and_backward("ducc"),
            "torch": lambda: healpix_sht(x, route="torch"),
        },
        rounds=repeats if nside < 128 else max(3, repeats // 2),
        turn=0.03,
        shuffle=False,
    )
    found = milliseconds(spent)
    gains = {name: found["healpy"] / took for name, took in found.items()}
    return (
        f"| {nside} | {batch} | {found['healpy']:.2f} | {found['ducc']:.2f} | {gains['ducc']:.2f} "
        f"| {gains['same']:.2f} | {found['ducc both'] / found['ducc']:.2f} "
        f"| {found['torch']:.2f} | {gains['torch']:.2f} |"
    )


def real(a: np.ndarray, lmax: int) -> Tensor:
    """healpy's coefficients in our real ones, from the definition of both."""
    c = torch.zeros((lmax + 1) ** 2, dtype=torch.float64)
    for degree in range(lmax + 1):
        m = np.arange(degree + 1)
        value = a[healpy.Alm.getidx(lmax, degree, m)] * np.where(m, math.sqrt(2) * (-1.0) ** m, 1)
        middle = degree * degree + degree
        c[middle + m] = torch.from_numpy(value.real)
        c[middle - m[1:]] = torch.from_numpy(-value.imag[1:])
    return c


def difference(nside: int) -> str:
    """One row of the table of differences from healpy, for white maps."""
    generator = torch.Generator().manual_seed(nside)
    x, lmax = torch.randn(12 * nside**2, generator=generator, dtype=torch.float64), 2 * nside
    cells = []
    for route in ("ducc", "torch"):
        for dtype in (torch.float32, torch.float64):
            worst = 0.0
            for weights in (False, True):
                wanted = real(healpy.map2alm(x.numpy(), lmax=lmax, use_weights=weights), lmax)
                found = healpix_sht(
                    x.to(dtype), ring_weights=weights, tuned=False, route=route
                ).double()
                worst = max(worst, float((found - wanted).norm() / wanted.norm()))
            cells.append(f"{worst:.1e}")
    return f"| {nside} | " + " | ".join(cells) + " |"


def accuracy(nside: int) -> str:
    """One row of the table of errors from the truth, for white coefficients."""
    generator = torch.Generator().manual_seed(1)
    c = torch.randn(8, (2 * nside + 1) ** 2, generator=generator, dtype=torch.float64)
    cells = []
    for dtype in (torch.float32, torch.float64):
        maps = healpix_isht(c.to(dtype), nside)
        for weights, tuned in ((False, False), (True, False), (True, True)):
            found = healpix_sht(maps, ring_weights=weights, tuned=tuned).double()
            cells.append(f"{float((found - c).norm() / c.norm()):.1e}")
    return f"| {nside} | " + " | ".join(cells) + " |"


def table(*columns: str) -> None:
    """The head of a table."""
    print("\n| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table("nside", "batch", "healpy ms", "equivlab (ducc) ms", "healpy / ours",
          "healpy / ours with healpy's steps", "forward+backward / forward",
          "equivlab (torch) ms", "healpy / torch")  # fmt: skip
    for nside in NSIDES:
        for batch in BATCHES:
            print(speed(nside, batch, arguments.repeats), flush=True)
    types = ("float32", "float64")
    table("nside", *(f"{route} {dtype}" for route in ("ducc", "torch") for dtype in types))
    for nside in (4, 8, *NSIDES):
        print(difference(nside), flush=True)
    kinds = ("healpy's steps, uniform", "healpy's steps, ring weights", "tuned, ring weights")
    table("nside", *(f"{dtype}: {kind}" for dtype in types for kind in kinds))
    for nside in (4, 8, *NSIDES):
        print(accuracy(nside), flush=True)


if __name__ == "__main__":
    main()
