"""Fields whose channels are irreducible representations of SO(2) or O(2).

One of frequency ``k > 0`` is a pair of channels that a turn by ``α`` turns by ``kα``, the
coefficients of ``cos kθ`` and ``sin kθ`` in a function of direction; one of frequency 0 is a number
that stays. ``"4x0 + 4x1 + 2x2"`` is four numbers, four pairs that turn as arrows do, and two that
turn twice as fast: 16 channels. Of O(2) a number may change its sign in a mirror: ``0o``, else
``0e``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from equivlab.fields.base import Field
from equivlab.fields.planar import rotate_maps
from equivlab.groups import QUARTER_TURN, SO2, CircleGroup, as_circle_group

__all__ = ["CircleIrrep", "CircleIrreps", "CircleMaps"]

TERM = re.compile(r"(?:(\d+)\s*x\s*)?(\d+)([eo]?)")


class CircleIrrep(NamedTuple):
    """One representation: its frequency ``l``, and its sign ``p`` in a mirror (−1 for ``0o``)."""

    l: int  # noqa: E741, as in e3nn
    p: int

    @property
    def dim(self) -> int:
        """How many channels one has."""
        return 2 if self.l else 1


@dataclass(frozen=True)
class CircleIrreps:
    """What the channels are: pairs of a multiplicity and a `CircleIrrep`, in their order.

    Args:
        blocks: the pairs.
        group: `SO2` or `O2`.

    >>> CircleIrreps.parse("4x0 + 2x1", SO2).dim
    8
    """

    blocks: tuple[tuple[int, CircleIrrep], ...]
    group: CircleGroup

    @classmethod
    def parse(cls, text: str | CircleIrreps, group: CircleGroup, taker: str = "") -> CircleIrreps:
        """From ``"4x0 + 2x1"``; of O(2) ``"4x0e + 1x0o + 2x1"``, where ``0`` is ``0e``.

        Raises:
            TypeError: something else than `SO2` or `O2`.
            ValueError: another text, a parity without mirrors, or no channel at all.
        """
        as_circle_group(group, taker or "CircleIrreps")
        if isinstance(text, CircleIrreps):
            return text
        terms = [TERM.fullmatch(part.strip()) for part in str(text).split("+")]
        blocks = []
        for found in terms:
            wrong = found is None or (found[3] and (not group.has_mirror or int(found[2])))
            if wrong or found is None:
                raise ValueError(
                    f"{taker or 'irreps'} of {group} are such as '4x0 + 4x1 + 2x2' (multiplicity x "
                    "frequency; of O2 the numbers are 0e, or 0o if a mirror changes their sign); "
                    f"got {text!r}. Plain channels are '4x0'"
                )
            count = int(found[1] or 1)
            blocks.append((count, CircleIrrep(int(found[2]), -1 if found[3] == "o" else 1)))
        kept = tuple(block for block in blocks if block[0])
        if not kept:
            raise ValueError(f"{taker or 'irreps'} must have a channel; got {text!r}.")
        return cls(kept, group)

    @property
    def dim(self) -> int:
        """How many channels there are."""
        return sum(count * irrep.dim for count, irrep in self.blocks)

    @property
    def num_irreps(self) -> int:
        """How many representations there are."""
        return sum(count for count, _ in self.blocks)

    def slices(self) -> list[slice[int, int, None]]:
        """Where the channels of each block stand, one representation after another."""
        found: list[slice[int, int, None]] = []
        start = 0
        for count, irrep in self.blocks:
            found.append(slice(start, start + count * irrep.dim))
            start += count * irrep.dim
        return found

    def __iter__(self) -> Iterator[tuple[int, CircleIrrep]]:
        return iter(self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    def __contains__(self, irrep: object) -> bool:
        return any(irrep == one for _, one in self.blocks)

    def __str__(self) -> str:
        def name(irrep: CircleIrrep) -> str:
            parity = ("e" if irrep.p == 1 else "o") if self.group.has_mirror and not irrep.l else ""
            return f"{irrep.l}{parity}"

        return "+".join(f"{count}x{name(irrep)}" for count, irrep in self.blocks)


@dataclass(frozen=True, repr=False, init=False)
class CircleMaps(Field[Tensor]):
    """Representations of SO(2) or O(2) at each pixel, ``(B, C, H, W)``.

    ``(g·f)(x) = D(g) f(g⁻¹x)``: pixels move *and* the two channels of each pair are mixed (Worrall
    et al., *Harmonic Networks*, CVPR 2017; Weiler & Cesa, NeurIPS 2019). Exact at quarter turns;
    any other turn resamples the maps, which must then be square.

    Args:
        irreps: what the channels are, such as ``"4x0 + 2x1"``; see `CircleIrreps.parse`.
        group: `SO2` or `O2`.

    Raises:
        ValueError: a text that names no representations.

    >>> CircleMaps("4x0 + 2x1")
    CircleMaps(SO2, '4x0+2x1')
    """

    group: CircleGroup
    irreps: CircleIrreps
    channels: int

    def __init__(self, irreps: str | CircleIrreps, group: CircleGroup = SO2) -> None:
        found = CircleIrreps.parse(irreps, group, "CircleMaps")
        for name, value in (("irreps", found), ("channels", found.dim), ("group", found.group)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.group}, {str(self.irreps)!r})"

    @property
    def shape(self) -> str:
        return f"(B, {self.channels}, H, W)"

    def act(self, g: Tensor, x: Tensor) -> Tensor:
        mirror, angle = self.group.split(g)
        x = x.flip(-1) if mirror else x
        quarters = round(angle / QUARTER_TURN)
        exact = abs(angle - quarters * QUARTER_TURN) < 1e-9
        # rotate_maps turns squares; quarter turns are exact on any picture.
        moved = torch.rot90(x, quarters, (-2, -1)) if exact else rotate_maps(x, angle)
        return self._mixed(moved, g[None])

    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        """The action of a turn by `angle` in radians, one for all or one for each sample."""
        angles = torch.as_tensor(angle, dtype=torch.float64).reshape(-1).tolist()
        turns = torch.stack([self.group.from_angle(one) for one in angles])
        return self._mixed(rotate_maps(x, angle, mode), turns)

    def _mixed(self, x: Tensor, elements: Tensor) -> Tensor:
        """``D(g)`` on axis 1, with one element for all samples or one for each."""
        parts = []
        for (_, irrep), cut in zip(self.irreps, self.irreps.slices(), strict=True):
            part = x[:, cut]
            D = torch.stack([self.group.harmonic(g, irrep.l) for g in elements]).to(x)
            if irrep.l:
                pairs = part.unflatten(1, (-1, 2))
                part = torch.einsum("bij,bmjhw->bmihw", D.expand(len(x), 2, 2), pairs).flatten(1, 2)
            elif irrep.p == -1:
                part = part * D[:, 1, 1].view(-1, 1, 1, 1)
            parts.append(part)
        return torch.cat(parts, 1)

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() == 3:
            return "Add the batch axis: x[None]"
        if x.dim() != 4:
            return f"It wants 4 axes, not {x.dim()}: batch, channels, rows, columns."
        if x.shape[1] == self.channels:
            return None
        return f"Axis 1 holds {x.shape[1]} channels; the irreps {self.irreps} need {self.channels}."
