"""The point groups of the square lattice: P4 (turns) and P4M (turns and mirrors).

An element is an integer. Element ``r`` of P4 is the counter-clockwise turn by ``r·90°`` as an
image is displayed; element ``4m + r`` of P4M is the left-right mirror, ``m`` times, *followed
by* that turn. Everything else follows from these two sentences: products, inverses, matrices,
representations, and how an element moves a grid of pixels.

Translations need no table: every layer on a grid already commutes with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

__all__ = ["P4", "P4M", "PointGroup"]

TURNS = 4  # quarter turns in a full one
QUARTER_TURN = math.pi / 2


@dataclass(frozen=True)
class PointGroup:
    """A finite group of turns, and perhaps mirrors, that map the square lattice to itself.

    Use the two instances [`P4`][equivlab.groups.P4] (order 4, cyclic) and
    [`P4M`][equivlab.groups.P4M] (order 8, dihedral) of Cohen & Welling, *Group Equivariant
    Convolutional Networks* (ICML 2016), section 4.

    >>> P4M.compose(4, 1)  # first a turn by 90°, then the mirror ...
    7
    >>> P4M.element_name(7)  # ... is the mirror, then a turn by 270°
    'mirror, 270°'
    >>> P4M.inverse(7)  # a mirror undoes itself
    7
    """

    name: str
    has_mirror: bool

    def __repr__(self) -> str:
        return self.name

    @property
    def order(self) -> int:
        """The number of elements, ``|G|``."""
        return 2 * TURNS if self.has_mirror else TURNS

    @property
    def elements(self) -> range:
        """All elements, the identity (0) first."""
        return range(self.order)

    def check(self, g: int) -> int:
        """Return `g` if it is an element, else raise `ValueError`."""
        if isinstance(g, bool) or not isinstance(g, int) or not 0 <= g < self.order:
            raise ValueError(
                f"{self.name} has the elements 0 to {self.order - 1}; got {g!r}. "
                f"Element r is the turn by r·90°"
                + (", element 4 + r the mirror and then that turn." if self.has_mirror else ".")
            )
        return g

    def split(self, g: int) -> tuple[int, int]:
        """The pair ``(m, r)``: mirrored `m` times, then turned `r` times by 90°."""
        return divmod(self.check(g), TURNS)

    def compose(self, g: int, h: int) -> int:
        """The product ``g·h``: first `h`, then `g`."""
        (m, r), (n, s) = self.split(g), self.split(h)
        turn_of_h = -s if m else s  # a mirror turns the sense of rotation round: F R = R⁻¹ F
        return (m ^ n) * TURNS + (r + turn_of_h) % TURNS

    def inverse(self, g: int) -> int:
        """The element with ``g⁻¹·g = g·g⁻¹ = 0``."""
        m, r = self.split(g)
        return g if m else -r % TURNS

    @cached_property
    def product_table(self) -> Tensor:
        """Products ``table[g, h] = g·h``, an integer tensor of shape ``(G, G)``."""
        return torch.tensor([[self.compose(g, h) for h in self.elements] for g in self.elements])

    @cached_property
    def inverse_table(self) -> Tensor:
        """Inverses ``table[g] = g⁻¹``, an integer tensor of shape ``(G,)``."""
        return torch.tensor([self.inverse(g) for g in self.elements])

    def angle(self, g: int) -> float:
        """The angle in radians of the turn in `g`, counter-clockwise, in [0, 2π)."""
        return self.split(g)[1] * QUARTER_TURN

    def element_name(self, g: int) -> str:
        """A name for people, such as ``'90°'`` or ``'mirror, 270°'``."""
        m, r = self.split(g)
        return ("mirror, " if m else "") + f"{90 * r}°"

    def matrix(self, g: int) -> Tensor:
        """The ``(2, 2)`` matrix of `g` on column vectors ``(x to the right, y upwards)``."""
        m, r = self.split(g)
        c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[r]
        turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
        mirror = torch.diag(torch.tensor([-1.0 if m else 1.0, 1.0], dtype=torch.float64))
        return turn @ mirror

    def regular_representation(self, g: int) -> Tensor:
        """The ``(G, G)`` permutation matrix with ``(ρ(g) f)(h) = f(g⁻¹ h)``."""
        source = self.product_table[self.inverse(g)]  # h ↦ g⁻¹h
        return torch.eye(self.order, dtype=torch.float64)[source]

    @cached_property
    def irreps(self) -> dict[str, Tensor]:
        """The irreducible real representations, each a ``(G, d, d)`` tensor of matrices.

        P4 has ``A``, ``B`` and the two-dimensional ``E``; P4M has ``A1 A2 B1 B2`` and ``E``.
        Their product with real coefficients spans the functions on the group; ``E`` of P4 is
        irreducible over the reals only (of complex type, so it stands twice in no other way).
        """
        pairs = [self.split(g) for g in self.elements]

        def character(turn: int, mirror: int) -> Tensor:
            values = [float(turn**r * mirror**m) for m, r in pairs]
            return torch.tensor(values, dtype=torch.float64)[:, None, None]

        one_dimensional = (
            {
                "A1": character(1, 1),
                "A2": character(1, -1),
                "B1": character(-1, 1),
                "B2": character(-1, -1),
            }
            if self.has_mirror
            else {"A": character(1, 1), "B": character(-1, 1)}
        )
        return one_dimensional | {"E": torch.stack([self.matrix(g) for g in self.elements])}

    def move(self, g: int, x: Tensor) -> Tensor:
        """Move a grid of pixels: mirror and turn the last two axes ``(..., H, W)``.

        Exact: pixels are permuted, never resampled. An odd turn swaps `H` and `W`.
        """
        m, r = self.split(g)
        if m:
            x = x.flip(-1)
        return torch.rot90(x, r, (-2, -1))

    def turn_representation(self, angle: float) -> Tensor:
        """The regular representation of a turn by *any* angle (radians), ``(G, G)``.

        At multiples of 90° this is `regular_representation` to rounding; in between, the
        signal on the four turns is interpolated by its Fourier series (the band-limited
        shift; the highest frequency, which four samples know only up to its phase, is
        shifted as a cosine).
        """
        t = angle / QUARTER_TURN
        shift = torch.arange(TURNS, dtype=torch.float64)
        shift = shift[:, None] - shift[None, :]  # (h, h')
        low = 1 + 2 * torch.cos(QUARTER_TURN * (shift - t))
        high = math.cos(math.pi * t) * torch.cos(math.pi * shift)
        block = (low + high) / TURNS
        return torch.block_diag(block, block) if self.has_mirror else block


P4 = PointGroup("P4", has_mirror=False)
"""The four turns by multiples of 90°."""

P4M = PointGroup("P4M", has_mirror=True)
"""The four turns and the four mirrors."""
