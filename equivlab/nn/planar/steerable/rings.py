"""Circular harmonics on rings: filters that any angle can turn.

A function on a ring is a sum of ``cos kφ`` and ``sin kφ``, and a turn by ``α`` mixes the two of
each frequency ``k`` by the angle ``kα``. So a filter that is a combination of *ring profiles times
harmonics* is turned by turning its coefficients, and no pixel is ever interpolated (Freeman &
Adelson, 1991; Weiler, Hamprecht & Storath, CVPR 2018; Weiler & Cesa, NeurIPS 2019).

Two things cost exactness, and both are bounded here. A harmonic of frequency ``k`` waves with the
length ``2πr/k`` along a ring of radius ``r``. Pixels hold waves of 2 pixels and more, and shorter
ones alias. **A ring holds the frequencies** ``k ≤ 2r``, so the shortest wave has π pixels.
And the square frame cuts rings on its sides sooner than in its corners. So the rings are 0.9 pixels
apart, which leaves room for the slope of the outermost one; and as a frame with four corners takes
``k`` for ``k − 4``, which smooth pictures have much more of, **the outermost ring holds**
``k ≤ 2`` **only**.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equivlab.groups import PointGroup

__all__ = ["RingBasis"]

SPACING = 0.9  # of the rings, in pixels
OUTER_BAND = 2  # the highest frequency of the outermost
WIDTH, OUTER_WIDTH = 0.6, 0.5  # deviations of their Gaussian profiles, in pixels


@dataclass(frozen=True)
class RingBasis:
    """The functions that filters of `kernel_size` are made of.

    Each is ``exp(−(r − R)²/2w²) · cos kφ`` or ``sin kφ``, for rings of radius ``R`` and the
    frequencies ``k`` that these hold: a kernel of 3 pixels has 4 functions, of 5 pixels 9 and of
    7 pixels 16, with frequencies up to 1, 2 and 3.

    Args:
        kernel_size: side of the square filters in pixels.
        max_frequency: leave higher frequencies out; None for all that fit.

    Raises:
        ValueError: a frequency that is too high for the kernel, or less than 0.

    >>> RingBasis(5)
    RingBasis(kernel_size=5, max_frequency=2)
    >>> [frequency for frequency, _ in RingBasis(5).rows]
    [0, 0, 1, 0, 1, 2]
    >>> len(RingBasis(5)), RingBasis(5).taps().shape
    (9, torch.Size([9, 5, 5]))
    """

    kernel_size: int
    max_frequency: int | None = None

    def __post_init__(self) -> None:
        most = max(band for _, band in _rings(self.kernel_size))
        asked = most if self.max_frequency is None else self.max_frequency
        if not 0 <= asked <= most:
            raise ValueError(
                f"Filters of kernel_size {self.kernel_size} hold the frequencies 0 to {most}; got "
                f"max_frequency={asked}."
                + (f" Use kernel_size={_side(asked)} or more." if asked > most else "")
            )
        object.__setattr__(self, "max_frequency", asked)

    @property
    def rows(self) -> list[tuple[int, float]]:
        """Frequency and radius of each pair of functions (of frequency 0: of each function)."""
        return [
            (frequency, radius)
            for radius, band in _rings(self.kernel_size)
            for frequency in range(min(band, self.max_frequency or 0) + 1)
        ]

    def __len__(self) -> int:
        """The number of functions."""
        return sum(2 if frequency else 1 for frequency, _ in self.rows)

    def taps(self) -> Tensor:
        """The functions at the pixels, ``(len(self), k, k)``, float64.

        Of length 1; the two of a pair have one scale, so that turns mix them without a change of
        length, and it is their mean length that is 1.
        """
        return torch.cat(self._pairs()).view(-1, self.kernel_size, self.kernel_size)

    def turned(self, group: PointGroup) -> Tensor:
        """The functions in all orientations, ``b(g⁻¹x)``: ``(G, len(self), k·k)``, float64."""
        rows = list(zip(self.rows, self._pairs(), strict=True))

        def turn(g: int, frequency: int, pair: Tensor) -> Tensor:
            matrix = group.harmonic(g, frequency)[: len(pair), : len(pair)]
            return matrix.mT @ pair

        turns = [[turn(g, k, pair) for (k, _), pair in rows] for g in group.elements]
        return torch.stack([torch.cat(turn) for turn in turns])

    def _pairs(self) -> list[Tensor]:
        """Of each row the two functions (or the one), ``(2, k·k)``."""
        at = torch.arange(self.kernel_size, dtype=torch.float64) - (self.kernel_size - 1) / 2
        up, right = torch.meshgrid(-at, at, indexing="ij")
        radius = torch.hypot(right, up).flatten()
        angle = torch.atan2(up, right).flatten()
        outer, _ = _rings(self.kernel_size)[-1]
        pairs = []
        for frequency, ring in self.rows:
            width = OUTER_WIDTH if ring == outer else WIDTH
            profile = torch.exp(-((radius - ring) ** 2) / (2 * width**2))
            waves = [torch.cos(frequency * angle), torch.sin(frequency * angle)]
            pair = profile * torch.stack(waves[: 2 if frequency else 1])
            if frequency:
                pair[:, radius < 0.1] = 0.0  # the centre has no direction
            pairs.append(pair / pair.square().sum(1).mean().sqrt())
        return pairs


def _rings(kernel_size: int) -> list[tuple[float, int]]:
    """Their radii, and the highest frequency that each holds.

    The first is the central pixel, or halfway to the four central ones.
    """
    first = (kernel_size - 1) % 2 / 2
    radii = [SPACING * (first + step) for step in range((kernel_size + 1) // 2)]
    bands = [math.floor(2 * radius) for radius in radii]
    bands[-1] = min(bands[-1], OUTER_BAND)
    return list(zip(radii, bands, strict=True))


def _side(frequency: int) -> int:
    """The least odd kernel size that holds a frequency."""
    side = 1
    while max(band for _, band in _rings(side)) < frequency:
        side += 2
    return side
