"""HEALPix transforms against healpy's map2alm: time, gradients, accuracy.

    python benchmarks/healpix.py [--repeats 7]

CPU time of this process at one thread, the contestants taking turns, medians. All at
``lmax = 2·nside``, three iterations, ring weights, float32 maps; healpy takes the maps of a
batch one after the other, as it must. Then the relative error of white band-limited maps.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import healpy
import torch

from equivlab.sphere import healpix_isht, healpix_sht

NSIDES = (16, 32, 64, 128)
BATCHES = (1, 16, 64)


def medians(contestants: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median CPU milliseconds of a call, the contestants taking turns of 30 ms or one call each."""
    calls, times = {}, {}
    for name, call in contestants.items():
        call()
        took = timed(call, 1)
        calls[name], times[name] = max(1, round(30 / took)), []
    for _ in range(repeats):
        for name, call in contestants.items():
            call()  # what another contestant drove out of the caches comes back
            times[name].append(timed(call, calls[name]))
    return {name: statistics.median(found) for name, found in times.items()}


def timed(call: Callable[[], object], count: int) -> float:
    """CPU milliseconds of one of `count` calls."""
    began = time.process_time()
    for _ in range(count):
        call()
    return 1e3 * (time.process_time() - began) / count


def speed(nside: int, batch: int, repeats: int) -> str:
    """One row of the table of times."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 12 * nside**2, generator=generator)
    maps = x.numpy()
    lmax = 2 * nside

    def forward_and_backward(route: str) -> None:
        leaf = x.clone().requires_grad_()
        healpix_sht(leaf, route=route).square().sum().backward()

    found = medians(
        {
            "healpy": lambda: [healpy.map2alm(m, lmax=lmax, use_weights=True) for m in maps],
            "ducc": lambda: healpix_sht(x, route="ducc"),
            "ducc both": lambda: forward_and_backward("ducc"),
            "torch": lambda: healpix_sht(x, route="torch"),
        },
        repeats if nside < 128 else max(3, repeats // 2),
    )
    gain, ratio = found["healpy"] / found["ducc"], found["ducc both"] / found["ducc"]
    return (
        f"| {nside} | {batch} | {found['healpy']:.2f} | {found['ducc']:.2f} | {gain:.2f} | "
        f"{ratio:.2f} | {found['torch']:.2f} | {found['healpy'] / found['torch']:.2f} |"
    )


def accuracy(nside: int) -> str:
    """One row of the table of errors: ours against healpy's, then both against the truth."""
    generator = torch.Generator().manual_seed(1)
    c = torch.randn(8, (2 * nside + 1) ** 2, generator=generator, dtype=torch.float64)
    cells = []
    for dtype in (torch.float32, torch.float64):
        maps = healpix_isht(c.to(dtype), nside)
        for weights in (False, True):
            found = healpix_sht(maps, ring_weights=weights).double()
            cells.append(f"{float((found - c).norm() / c.norm()):.1e}")
    return f"| {nside} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| nside | batch | healpy ms | equivlab (ducc) ms | healpy / ours | "
          "forward+backward / forward | equivlab (torch) ms | healpy / torch |")  # fmt: skip
    print("|---" * 8 + "|")
    for nside in NSIDES:
        for batch in BATCHES:
            print(speed(nside, batch, arguments.repeats), flush=True)
    print("\n| nside | float32, uniform | float32, ring weights | float64, uniform | "
          "float64, ring weights |")  # fmt: skip
    print("|---" * 5 + "|")
    for nside in (4, 8, *NSIDES):
        print(accuracy(nside), flush=True)


if __name__ == "__main__":
    main()
