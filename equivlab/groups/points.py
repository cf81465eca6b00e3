"""Point groups of the plane: turns, and perhaps mirrors, that leave a centre where it is.

`P4` and `P4M` map the square lattice to itself, `P6` and `P6M` the hexagonal one; `Cyclic` and
`Dihedral` turn by any fraction of a circle, which pixels follow only at quarter turns.

Hexagons of radius ``R`` stand in arrays ``(2R + 1)²``: cell ``(q, r)`` at place ``[r + R, q + R]``,
its centre at ``x = q + r/2`` to the right and ``y = √3 r/2`` downwards, ``|q + r| ≤ R``.

An element is an integer. With ``n`` turns in a full one, element ``r`` is the counter-clockwise
turn by ``r·360°/n`` as an image is displayed; where there are mirrors, element ``n·m + r`` is the
left-right mirror, ``m`` times, *followed by* that turn. Everything else follows from these two
sentences: products, inverses, matrices, representations, and how an element moves a grid.

Translations need no table: every layer on a grid already commutes with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import torch
from torch import Tensor

from equivlab.groups.cells import move_cells
from equivlab.tables import remembered

__all__ = ["P4", "P4M", "P6", "P6M", "Cyclic", "Dihedral", "Lattice", "PointGroup"]

Lattice = Literal["square", "hexagonal"]
QUARTER_TURN = math.pi / 2
"""90° in radians."""


@dataclass(frozen=True)
class PointGroup:
    """A finite group of turns about a centre, and perhaps of mirrors.

    Use the instances `P4` and `P4M` of Cohen & Welling, *Group Equivariant Convolutional Networks*
    (ICML 2016), section 4, `P6` and `P6M` of Hoogeboom et al., *HexaConv* (ICLR 2018), or make one
    by `Cyclic` and `Dihedral`.

    Attributes:
        name: of the group, as in ``'P4M'``.
        turns: how many turns there are, ``n``: by multiples of ``360°/n``.
        has_mirror: whether there are mirrors too.
        lattice: the grid that every element maps to itself, ``'square'`` or ``'hexagonal'``; None
            where the group is not that of a lattice, and acts on square pixels.

    >>> P4M.compose(4, 1)  # first a turn by 90°, then the mirror ...
    7
    >>> P4M.element_name(7)  # ... is the mirror, then a turn by 270°
    'mirror, 270°'
    >>> P4M.inverse(7)  # a mirror undoes itself
    7
    """

    name: str
    turns: int
    has_mirror: bool
    lattice: Lattice | None = None

    def __repr__(self) -> str:
        return self.name

    @property
    def order(self) -> int:
        """The number of elements, ``|G|``."""
        return 2 * self.turns if self.has_mirror else self.turns

    @property
    def elements(self) -> range:
        """All elements, the identity (0) first."""
        return range(self.order)

    @property
    def identity(self) -> int:
        """The element that changes nothing, 0."""
        return 0

    def random_element(self, generator: torch.Generator | None = None) -> int:
        """An element drawn uniformly with `generator`."""
        return int(torch.randint(self.order, (), generator=generator))

    def check(self, g: int) -> int:
        """Return `g` if it is an element, else raise `ValueError`."""
        if isinstance(g, bool) or not isinstance(g, int) or not 0 <= g < self.order:
            n, step = self.turns, f"{360 / self.turns:g}°"
            raise ValueError(
                f"{self.name} has the elements 0 to {self.order - 1}; got {g!r}. "
                f"Element r is the turn by r·{step}"
                + (f", element {n} + r the mirror and then that turn." if self.has_mirror else ".")
            )
        return g

    def split(self, g: int) -> tuple[int, int]:
        """The pair ``(m, r)``: mirrored `m` times, then turned by ``r·360°/n``."""
        return divmod(self.check(g), self.turns)

    def compose(self, g: int, h: int) -> int:
        """The product ``g·h``: first `h`, then `g`."""
        (m, r), (n, s) = self.split(g), self.split(h)
        turn_of_h = -s if m else s  # a mirror turns the sense of rotation round: F R = R⁻¹ F
        return (m ^ n) * self.turns + (r + turn_of_h) % self.turns

    def inverse(self, g: int) -> int:
        """The element with ``g⁻¹·g = g·g⁻¹ = 0``."""
        m, r = self.split(g)
        return g if m else -r % self.turns

    def element_of(self, subgroup: PointGroup, h: int) -> int:
        """The element of this group that the element `h` of a subgroup is.

        Raises:
            ValueError: it is no subgroup: its turns do not divide the turns here, or it has
                mirrors and this has none.
        """
        mirrors = subgroup.has_mirror and not self.has_mirror
        if self.turns % subgroup.turns or mirrors:
            why = "it has mirrors" if mirrors else f"{subgroup.turns} does not divide {self.turns}"
            maker = "Dihedral" if self.has_mirror else "Cyclic"
            divisors = [n for n in range(1, self.turns + 1) if self.turns % n == 0]
            raise ValueError(
                f"{subgroup} is no subgroup of {self}: {why}. Subgroups are {maker}(n) with n in "
                f"{divisors}" + (", and Cyclic(n)." if self.has_mirror else ".")
            )
        m, r = subgroup.split(h)
        return m * self.turns + r * (self.turns // subgroup.turns)

    @property
    def product_table(self) -> Tensor:
        """Products ``table[g, h] = g·h``, an integer tensor of shape ``(G, G)``."""
        return _products(self)

    @property
    def inverse_table(self) -> Tensor:
        """Inverses ``table[g] = g⁻¹``, an integer tensor of shape ``(G,)``."""
        return _inverses(self)

    def angle(self, g: int) -> float:
        """The angle in radians of the turn in `g`, counter-clockwise, in [0, 2π)."""
        return self.split(g)[1] * 2 * math.pi / self.turns

    def element_name(self, g: int) -> str:
        """A name for people, such as ``'90°'`` or ``'mirror, 270°'``."""
        m, r = self.split(g)
        return ("mirror, " if m else "") + f"{360 * r / self.turns:.4g}°"

    def matrix(self, g: int) -> Tensor:
        """The ``(2, 2)`` matrix of `g` on column vectors ``(x to the right, y upwards)``."""
        m, r = self.split(g)
        return _harmonic(self, m, r, 1)

    def harmonic(self, g: int, frequency: int) -> Tensor:
        """The ``(2, 2)`` matrix ``D`` with ``Y(g·p) = D·Y(p)``.

        ``Y`` is the pair ``(cos kφ, sin kφ)`` at the point with direction ``φ``, ``k`` the
        `frequency`; `matrix` is that of ``k = 1``.
        """
        m, r = self.split(g)
        # The mirror takes φ to π − φ, so the pair to (−1)ᵏ (cos kφ, −sin kφ).
        return _harmonic(self, m, r, frequency) * (-1.0 if m and frequency % 2 == 0 else 1.0)

    def regular_representation(self, g: int) -> Tensor:
        """The ``(G, G)`` permutation matrix with ``(ρ(g) f)(h) = f(g⁻¹ h)``."""
        source = self.product_table[self.inverse(g)]  # h ↦ g⁻¹h
        return torch.eye(self.order, dtype=torch.float64)[source]

    @property
    def irreps(self) -> dict[str, Tensor]:
        """The irreducible real representations, each a ``(G, d, d)`` tensor of matrices.

        Turns alone have ``A``, ``B`` where their number is even, and the two-dimensional ``E1``,
        ``E2``, …, in which a turn by θ turns by ``k·θ``; ``E`` where there is only one, as in P4.
        Mirrors split the one-dimensional ones in two, ``A1 A2 B1 B2``. Their product with real
        coefficients spans the functions on the group; without mirrors ``E`` is irreducible over
        the reals only (of complex type, so it stands twice in no other way).
        """
        ones = ["A", "B"] if self.turns % 2 == 0 else ["A"]
        if self.has_mirror:
            ones = [name + sign for name in ones for sign in "12"]
        frequencies = range(1, (self.turns + 1) // 2)
        twos = ["E"] if len(frequencies) == 1 else [f"E{k}" for k in frequencies]
        found = {name: _sign(self, name) for name in ones}
        return found | {name: _plane(self, k) for name, k in zip(twos, frequencies, strict=True)}

    def permutes(self, g: int) -> bool:
        """Whether `g` maps the grid to itself, so that `move` is exact."""
        _, r = self.split(g)
        return self.lattice is not None or 4 * r % self.turns == 0

    def move(self, g: int, x: Tensor) -> Tensor:
        """Move a grid of pixels: mirror and turn the last two axes ``(..., H, W)``.

        Exact: pixels are permuted, never resampled. An odd quarter turn swaps `H` and `W`. On
        hexagons ``(..., 2R + 1, 2R + 1)`` cells are permuted, and what lies outside becomes zero.

        Raises:
            ValueError: `g` does not map the pixels to themselves, see `permutes`; or a group on
                hexagons is given another array.
        """
        m, r = self.split(g)
        if self.lattice == "hexagonal":
            return move_cells(x, m, r * 6 // self.turns, self.name)
        quarters, rest = divmod(4 * r, self.turns)
        if rest:
            raise ValueError(
                f"{self}: the turn by {self.element_name(g)} does not map square pixels to "
                "themselves. A field resamples them: ScalarMaps(...).act(g, x)"
            )
        if m:
            x = x.flip(-1)
        return torch.rot90(x, quarters, (-2, -1))

    def turn_representation(self, angle: float) -> Tensor:
        """The regular representation of a turn by *any* angle (radians), ``(G, G)``.

        At the angles of the group this is `regular_representation` to rounding; in between, the
        signal on the turns is interpolated by its Fourier series (the band-limited shift; of an
        even number of samples the highest frequency, known only up to its phase, is shifted as a
        cosine).
        """
        n = self.turns
        t = angle / (2 * math.pi / n)
        shift = torch.arange(n, dtype=torch.float64)
        shift = shift[:, None] - shift[None, :]  # (h, h')
        block = torch.ones_like(shift)
        for k in range(1, (n + 1) // 2):
            block += 2 * torch.cos(2 * math.pi * k / n * (shift - t))
        if n % 2 == 0:
            block += math.cos(math.pi * t) * torch.cos(math.pi * shift)
        block /= n
        return torch.block_diag(block, block) if self.has_mirror else block


def Cyclic(n: int) -> PointGroup:
    """The turns by multiples of ``360°/n``, named ``C8`` for ``n = 8``.

    Raises:
        TypeError: `n` is no whole number.
        ValueError: `n` is less than 1.
    """
    return PointGroup(f"C{_turns(n, 'Cyclic')}", int(n), has_mirror=False)


def Dihedral(n: int) -> PointGroup:
    """The turns by multiples of ``360°/n`` and as many mirrors, named ``D8`` for ``n = 8``.

    Raises:
        TypeError: `n` is no whole number.
        ValueError: `n` is less than 1.
    """
    return PointGroup(f"D{_turns(n, 'Dihedral')}", int(n), has_mirror=True)


def _turns(n: int, maker: str) -> int:
    if isinstance(n, bool) or not isinstance(n, Integral):
        raise TypeError(f"{maker} takes the number of turns, a whole number; got {n!r}.")
    if n < 1:
        raise ValueError(f"{maker} takes 1 turn or more; got {n}.")
    return int(n)


P4 = PointGroup("P4", 4, has_mirror=False, lattice="square")
"""The four turns by multiples of 90°."""

P4M = PointGroup("P4M", 4, has_mirror=True, lattice="square")
"""The four turns and the four mirrors."""

P6 = PointGroup("P6", 6, has_mirror=False, lattice="hexagonal")
"""The six turns by multiples of 60°, on hexagons."""

P6M = PointGroup("P6M", 6, has_mirror=True, lattice="hexagonal")
"""The six turns and the six mirrors, on hexagons."""


@remembered()
def _products(group: PointGroup) -> Tensor:
    return torch.tensor([[group.compose(g, h) for h in group.elements] for g in group.elements])


@remembered()
def _inverses(group: PointGroup) -> Tensor:
    return torch.tensor([group.inverse(g) for g in group.elements])


@remembered()
def _sign(group: PointGroup, name: str) -> Tensor:
    """The one-dimensional representation `name`, ``(G, 1, 1)``."""
    turn = 1 if name[0] == "A" else -1
    mirror = -1 if name[1:] == "2" else 1
    values = [float(turn**r * mirror**m) for m, r in map(group.split, group.elements)]
    return torch.tensor(values, dtype=torch.float64)[:, None, None]


@remembered()
def _plane(group: PointGroup, frequency: int) -> Tensor:
    """The two-dimensional representation of that `frequency`, ``(G, 2, 2)``."""
    pairs = map(group.split, group.elements)
    return torch.stack([_harmonic(group, m, r, frequency) for m, r in pairs])


def _harmonic(group: PointGroup, m: int, r: int, frequency: int) -> Tensor:
    """Mirror `m` times, then turn by `frequency` times the angle of turn `r`, ``(2, 2)``."""
    step = frequency * r % group.turns
    quarters, rest = divmod(4 * step, group.turns)
    if rest:
        angle = 2 * math.pi * step / group.turns
        c, s = math.cos(angle), math.sin(angle)
    else:  # to the last digit
        c, s = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[quarters]
    turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    return turn @ torch.diag(torch.tensor([-1.0 if m else 1.0, 1.0], dtype=torch.float64))
