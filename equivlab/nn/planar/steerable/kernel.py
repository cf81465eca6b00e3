"""Kernels between representations of SO(2) and O(2): the constraint solved in closed form.

A kernel must obey ``K(g·p) = D_out(g) K(p) D_in(g)ᵀ``. At the angle ``φ`` between frequencies ``m``
(in) and ``n`` (out), with ``R(α)`` the turn by ``α`` and ``F = diag(1, −1)``, it is solved by ::

    R((n − m)φ)      R((n − m)φ) J      R((n + m)φ) F      R((n + m)φ) J F      J = R(90°)

since ``R(n·α) R(μφ) R(−m·α) = R(μφ + (n − m)α)``, and ``F R(α) = R(−α) F``; there are no others
(Weiler & Cesa, NeurIPS 2019, table 8). A mirror allows those without ``J``. Frequency 0 has one
channel and not two: the first row or column, of ``0o`` the second; two of the four are then the
same, or nothing.

So every entry of a kernel is plus or minus one cosine or sine on a ring, times one learned number:
the kernel is those numbers, sorted by an index and signed, times a `RingBasis`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from equivlab.fields.circle import CircleIrrep, CircleIrreps
from equivlab.nn.planar.steerable.rings import RingBasis

__all__ = ["CircleKernels"]

#: Of an entry of ``R(μφ)·X`` (row, column): which wave, 0 cos or 1 sin, and its sign.
ENTRIES = {
    "": {(0, 0): (0, 1), (0, 1): (1, -1), (1, 0): (1, 1), (1, 1): (0, 1)},
    "J": {(0, 0): (1, -1), (0, 1): (0, -1), (1, 0): (0, 1), (1, 1): (1, -1)},
    "F": {(0, 0): (0, 1), (0, 1): (1, 1), (1, 0): (1, 1), (1, 1): (0, -1)},
    "JF": {(0, 0): (1, -1), (0, 1): (0, 1), (1, 0): (0, 1), (1, 1): (1, 1)},
}


@dataclass(frozen=True)
class CircleKernels:
    """All kernels from some representations to others.

    Args:
        ins: of the input, ``C_in`` channels.
        outs: of the output, ``C_out`` channels, with the same group.
        basis: the functions of which entries are made.

    Attributes:
        count: how many learned numbers there are.
        blocks: where the numbers of each pair of blocks (out, in) start, and how many solutions
            there are: the numbers are ``(copies out, copies in, solutions)``.
    """

    ins: CircleIrreps
    outs: CircleIrreps
    basis: RingBasis
    blocks: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict, compare=False)
    count: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        start = 0
        for o, (outs, after) in enumerate(self.outs):
            for i, (ins, before) in enumerate(self.ins):
                solutions = len(self._solutions(before, after))
                self.blocks[o, i] = (start, solutions)
                start += outs * ins * solutions
        object.__setattr__(self, "count", start)

    def fans(self) -> list[int]:
        """How many numbers and waves make up one channel of each block of the output."""
        return [
            sum(
                ins * sum(len(s) for s in self._solutions(before, after)) // after.dim
                for ins, before in self.ins
            )
            for _, after in self.outs
        ]

    def weights_of(self, block: int) -> slice:
        """Where the numbers of a block of the output stand."""
        start, _ = self.blocks[block, 0]
        end = self.blocks[block + 1, 0][0] if block + 1 < len(self.outs) else self.count
        return slice(start, end)

    def tables(self) -> tuple[Tensor, Tensor]:
        """For each entry and function of the basis: which number it is, and its sign or 0.

        Returns:
            Integers and signs, ``(C_out·C_in·N,)`` each.
        """
        shape = (self.outs.dim, self.ins.dim, len(self.basis))
        index = torch.zeros(shape, dtype=torch.long)
        signs = torch.zeros(shape, dtype=torch.float64)
        for o, ((outs, after), rows) in enumerate(zip(self.outs, self.outs.slices(), strict=True)):
            for i, ((ins, before), cut) in enumerate(zip(self.ins, self.ins.slices(), strict=True)):
                start, solutions = self.blocks[o, i]
                numbers = start + solutions * torch.arange(outs * ins).view(outs, ins)
                part = index[rows, cut].view(outs, after.dim, ins, before.dim, -1)
                sign = signs[rows, cut].view(outs, after.dim, ins, before.dim, -1)
                for s, entries in enumerate(self._solutions(before, after)):
                    for row, column, wave, plus in entries:
                        part[:, row, :, column, wave] = numbers + s
                        sign[:, row, :, column, wave] = plus
        return index.flatten(), signs.flatten()

    def _solutions(
        self, before: CircleIrrep, after: CircleIrrep
    ) -> list[list[tuple[int, int, int, int]]]:
        """Each as its entries: row, column, function of the basis, and sign."""
        m, n = before.l, after.l
        kinds = [("", n - m), ("J", n - m)]
        if m and n:
            kinds += [("F", n + m), ("JF", n + m)]
        if self.ins.group.has_mirror:
            kinds = [kind for kind in kinds if "J" not in kind[0]]
        found = []
        for kind, mu in kinds:
            for at, (frequency, _) in zip(_starts(self.basis), self.basis.rows, strict=True):
                if frequency != abs(mu):
                    continue
                entries = [
                    (row, column, at + wave, -sign if wave and mu < 0 else sign)
                    for row, own_row in _components(after)
                    for column, own_column in _components(before)
                    for wave, sign in [ENTRIES[kind][own_row, own_column]]
                    if frequency or not wave
                ]
                if entries:
                    found.append(entries)
        return found


def _components(irrep: CircleIrrep) -> list[tuple[int, int]]:
    """Of each channel: its place, and which component of a pair it is."""
    if irrep.l:
        return [(0, 0), (1, 1)]
    return [(0, 0 if irrep.p == 1 else 1)]


def _starts(basis: RingBasis) -> list[int]:
    """Where the function or the two of each row of the basis stand."""
    found, start = [], 0
    for frequency, _ in basis.rows:
        found.append(start)
        start += 2 if frequency else 1
    return found
