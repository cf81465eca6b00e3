"""Fields on the square lattice: images, functions on P4 and P4M, and numbers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.fields.base import Field
from equivlab.fields.shears import turn_by_shears
from equivlab.groups import QUARTER_TURN, PointGroup

__all__ = ["Invariant", "PlanarField", "RegularMaps", "ScalarMaps", "rotate_maps"]

MODES = ("bilinear", "bicubic", "nearest", "fourier")


@dataclass(frozen=True, repr=False)
class PlanarField(Field):
    """A field on the square lattice: `ScalarMaps`, `RegularMaps`, `Invariant`.

    Args:
        group: the point group that acts.
        channels: the size of axis 1, ``C``.
    """

    group: PointGroup
    channels: int

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.group}, {self.channels})"

    @abstractmethod
    def act(self, g: int, x: Tensor) -> Tensor:
        """The action of group element `g` on `x`; exact, a new tensor of the same kind."""

    @abstractmethod
    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        """The action of a turn by any `angle` (radians, counter-clockwise), by resampling.

        One angle, or one for each sample, shape ``(B,)``. Equal to `act` at the multiples of
        90°. In between the maps are resampled (`mode` as in `rotate_maps`), so it is not a group
        action to rounding: `equivlab.audit` shows what the resampling alone costs.
        """

    def random_element(self, generator: torch.Generator | None = None) -> int:
        """A group element drawn uniformly with `generator`."""
        return int(torch.randint(self.group.order, (), generator=generator))


@dataclass(frozen=True, repr=False)
class ScalarMaps(PlanarField):
    """Planar scalar maps ``(B, C, H, W)``: images, and features without an orientation axis.

    ``(g·f)(x) = f(g⁻¹x)``: pixels move, values stay.
    """

    @property
    def shape(self) -> str:
        return f"(B, {self.channels}, H, W)"

    def act(self, g: int, x: Tensor) -> Tensor:
        return self.group.move(g, x)

    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        return rotate_maps(x, angle, mode)

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() == 3:
            return "Add the batch axis: x[None]"
        if x.dim() == 5:
            return f"Pool over the group first: GroupPool({self.group}, {x.shape[1]})"
        if x.dim() != 4:
            return f"It wants 4 axes, not {x.dim()}: batch, channels, rows, columns."
        return self._wrong_channels(x)


@dataclass(frozen=True, repr=False)
class RegularMaps(PlanarField):
    """Functions on P4 or P4M: maps ``(B, C, G, H, W)``, one for each orientation.

    ``(g·f)(h, x) = f(g⁻¹h, g⁻¹x)``: pixels move *and* the orientation axis is permuted
    (Cohen & Welling 2016, section 4.4).
    """

    @property
    def shape(self) -> str:
        return f"(B, {self.channels}, {self.group.order}, H, W)"

    def act(self, g: int, x: Tensor) -> Tensor:
        source = self.group.product_table[self.group.inverse(g)]  # h ↦ g⁻¹h
        return self.group.move(g, x.index_select(-3, source.to(x.device)))

    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        """As `Field.rotate`; the orientation axis by `PointGroup.turn_representation`."""
        turned = rotate_maps(x, angle, mode)
        angles = torch.as_tensor(angle, dtype=torch.float64).reshape(-1).tolist()
        shifts = torch.stack([self.group.turn_representation(one) for one in angles]).to(x)
        maps = turned.transpose(1, 2).flatten(2)  # (B, G, C·H·W)
        mixed = torch.bmm(shifts.expand(len(x), -1, -1), maps)
        return mixed.view(*mixed.shape[:2], x.shape[1], *x.shape[3:]).transpose(1, 2)

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() == 4:
            return f"Lift it first: LiftingConv2d({self.group}, {x.shape[1]}, ...)"
        if x.dim() != 5:
            return f"It wants 5 axes, not {x.dim()}: batch, channels, group, rows, columns."
        if x.shape[2] != self.group.order:
            return (
                f"Axis 2 holds {x.shape[2]} group elements and {self.group} has "
                f"{self.group.order}: make the layer that gave it with {self.group} too."
            )
        return self._wrong_channels(x)


@dataclass(frozen=True, repr=False)
class Invariant(PlanarField):
    """Numbers that the group leaves alone, ``(B, C)``: class scores, pooled features."""

    @property
    def shape(self) -> str:
        return f"(B, {self.channels})"

    def act(self, g: int, x: Tensor) -> Tensor:
        self.group.check(g)
        return x.clone()

    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        return x.clone()

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() in (4, 5):
            return f"Make it invariant first: InvariantReadout({self.group}, {x.shape[1]})"
        if x.dim() != 2:
            return f"It wants 2 axes, not {x.dim()}: batch and channels."
        return self._wrong_channels(x)


def rotate_maps(x: Tensor, angle: float | Tensor, mode: str = "bilinear") -> Tensor:
    """Turn square maps about their centre, counter-clockwise as displayed.

    The whole quarter turns in `angle` permute pixels exactly; only what is left over is
    resampled, so multiples of 90° cost no accuracy.

    Args:
        x: ``(B, ..., H, W)`` with ``H = W``.
        angle: radians; one number, or one for each of the `B` samples, shape ``(B,)``.
        mode: ``'bilinear'``, ``'bicubic'`` or ``'nearest'``, as `torch.nn.functional.grid_sample`,
            or ``'fourier'``: by shears that keep the power of every frequency, so that noise
            stays as it is (`equivlab.fields.shears`).

    Returns:
        A tensor as `x`; zero where the turned frame leaves the input, but with ``'fourier'``
        what leaves the frame on the other side.

    Raises:
        ValueError: the maps are not square, there are not `B` angles, or another mode.

    >>> import math
    >>> x = torch.eye(3)[None]
    >>> torch.equal(rotate_maps(x, math.pi / 2), torch.rot90(x, 1, (-2, -1)))
    True
    """
    if x.dim() < 3 or x.shape[-1] != x.shape[-2]:
        raise ValueError(
            f"rotate_maps takes square maps (B, ..., H, H); got {tuple(x.shape)}. "
            "Crop or pad them to a square first: torch.nn.functional.pad"
        )
    if mode not in MODES:
        raise ValueError(f"rotate_maps: mode is one of {', '.join(MODES)}; got {mode!r}.")
    angles = torch.as_tensor(angle, dtype=torch.float64).cpu()
    if angles.dim() > 1 or (angles.dim() == 1 and len(angles) != len(x)):
        raise ValueError(
            f"rotate_maps takes one angle, or one for each of the {len(x)} samples; "
            f"got {tuple(angles.shape)}."
        )
    turns = torch.round(angles / QUARTER_TURN)
    rest = angles - turns * QUARTER_TURN
    if angles.dim() == 0:
        turned = torch.rot90(x, int(turns), (-2, -1))
        return turned if abs(float(rest)) < 1e-9 else _resample(turned, rest.expand(len(x)), mode)
    out = torch.empty_like(x)
    for r in range(4):  # by number, not by mask: a GPU need not say how many there are
        these = (turns.long() % 4 == r).nonzero()[:, 0].to(x.device)
        out[these] = torch.rot90(x[these], r, (-2, -1))
    inexact = (rest.abs() >= 1e-9).nonzero()[:, 0]
    if len(inexact):
        these = inexact.to(x.device)
        out[these] = _resample(out[these], rest[inexact], mode)
    return out


def _resample(x: Tensor, angles: Tensor, mode: str) -> Tensor:
    """Turn the maps `x` (B, ..., H, H) by `angles` (B,) with interpolation."""
    maps = x.flatten(1, -3) if x.dim() > 3 else x[:, None]
    if mode == "fourier":
        return turn_by_shears(maps, angles).view_as(x)
    c, s = torch.cos(angles), torch.sin(angles)
    zero = torch.zeros_like(c)
    # grid_sample asks where each output pixel comes from, with y pointing down: that is the
    # inverse turn written in a left-handed frame, whose matrix has these signs.
    rows = [torch.stack([c, -s, zero], -1), torch.stack([s, c, zero], -1)]
    grid = F.affine_grid(torch.stack(rows, 1).to(x), list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, mode=mode, align_corners=False).view_as(x)
