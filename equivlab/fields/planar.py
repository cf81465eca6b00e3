"""Fields on the plane: images, and functions on a point group, on square pixels or hexagons.

A turn that does not map the pixels to themselves (by 45°, say) resamples them, so the action of
`Cyclic(8)` is exact at its quarter turns only. The axis of orientations is permuted exactly by
every element.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.fields.base import Field
from equivlab.fields.cells import hexagon_wanted, inside_hexagon, rotate_hexagons
from equivlab.fields.shears import turn_by_shears
from equivlab.groups import QUARTER_TURN, PointGroup, as_point_group

__all__ = ["PlanarField", "RegularMaps", "ScalarMaps", "rotate_maps"]

MODES = ("bilinear", "bicubic", "nearest", "fourier")


@dataclass(frozen=True, repr=False)
class PlanarField(Field[int]):
    """A field on the plane: `ScalarMaps`, `HexMaps`, `RegularMaps`.

    Args:
        group: the point group that acts.
        channels: the size of axis 1, ``C``.

    Raises:
        TypeError: something else than a point group.
    """

    group: PointGroup
    channels: int

    def __post_init__(self) -> None:
        as_point_group(self.group, type(self).__name__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.group}, {self.channels})"

    @property
    def on_hexagons(self) -> bool:
        """Whether the maps stand on hexagons, arrays ``(..., 2R + 1, 2R + 1)``."""
        return self.group.lattice == "hexagonal"

    def mask(self, x: Tensor) -> Tensor:
        """`x` with zeros outside the hexagon; on square pixels `x` itself."""
        return inside_hexagon(x) if self.on_hexagons else x

    @property
    def _axes(self) -> str:
        return "2R + 1, 2R + 1" if self.on_hexagons else "H, W"

    def _resampled(self, x: Tensor, angle: float | Tensor, mode: str) -> Tensor:
        return (rotate_hexagons if self.on_hexagons else rotate_maps)(x, angle, mode)

    def _wrong_numbers(self, x: Tensor) -> str | None:
        """What is wrong with the channels, or with the array of a hexagon."""
        return self._wrong_channels(x) or (hexagon_wanted(x, self) if self.on_hexagons else None)

    @abstractmethod
    def act(self, g: int, x: Tensor) -> Tensor:
        """The action of group element `g` on `x`, a new tensor of the same kind.

        Exact where ``group.permutes(g)``; else the maps, which must be square, are resampled
        with bilinear weights.
        """

    @abstractmethod
    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        """The action of a turn by any `angle` (radians, counter-clockwise), by resampling.

        One angle, or one for each sample, shape ``(B,)``. Equal to `act` at the multiples of
        90°, on hexagons of 60°. In between the maps are resampled (`mode` as in `rotate_maps`, on
        hexagons ``'bilinear'`` or ``'nearest'``), so it is not a group action to rounding:
        `equivlab.audit` shows what the resampling alone costs.
        """


@dataclass(frozen=True, repr=False)
class ScalarMaps(PlanarField):
    """Planar scalar maps ``(B, C, H, W)``: images, and features without an orientation axis.

    ``(g·f)(x) = f(g⁻¹x)``: pixels move, values stay.

    Args:
        group: the point group that acts.
        channels: the size of axis 1, ``C``.
    """

    @property
    def shape(self) -> str:
        return f"(B, {self.channels}, {self._axes})"

    def act(self, g: int, x: Tensor) -> Tensor:
        return _move(self.group, g, x)

    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        return self._resampled(x, angle, mode)

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() == 3:
            return "Add the batch axis: x[None]"
        if x.dim() == 5:
            return f"Pool over the group first: GroupPool({self.group}, {x.shape[1]})"
        if x.dim() != 4:
            return f"It wants 4 axes, not {x.dim()}: batch, channels, rows, columns."
        return self._wrong_numbers(x)


@dataclass(frozen=True, repr=False)
class RegularMaps(PlanarField):
    """Functions on a point group: maps ``(B, C, G, H, W)``, one for each orientation.

    ``(g·f)(h, x) = f(g⁻¹h, g⁻¹x)``: pixels move *and* the orientation axis is permuted
    (Cohen & Welling 2016, section 4.4). With `P6` and `P6M` the maps are hexagons, see `HexMaps`.

    Args:
        group: the point group that acts, of ``G`` elements.
        channels: the size of axis 1, ``C``.
    """

    @property
    def shape(self) -> str:
        return f"(B, {self.channels}, {self.group.order}, {self._axes})"

    def act(self, g: int, x: Tensor) -> Tensor:
        source = self.group.product_table[self.group.inverse(g)]  # h ↦ g⁻¹h
        return _move(self.group, g, x.index_select(-3, source.to(x.device)))

    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        """As `PlanarField.rotate`; the orientation axis by `PointGroup.turn_representation`."""
        turned = self._resampled(x, angle, mode)
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
        return self._wrong_numbers(x)


def _move(group: PointGroup, g: int, x: Tensor) -> Tensor:
    """Move pixels: exactly where the grid maps to itself, else by resampling."""
    if group.permutes(g):
        return group.move(g, x)
    mirror, _ = group.split(g)
    return rotate_maps(x.flip(-1) if mirror else x, group.angle(g))


def rotate_maps(x: Tensor, angle: float | Tensor, mode: str = "bilinear") -> Tensor:
    """Turn square maps about their centre, counter-clockwise as displayed.

    The whole quarter turns in `angle` permute pixels exactly; only what is left over is
    resampled, so multiples of 90° cost no accuracy.

    Args:
        x: ``(B, ..., H, W)`` with ``H = W``.
        angle: radians; one number, or one for each of the `B` samples, shape ``(B,)``.
        mode: ``'bilinear'``, ``'bicubic'`` or ``'nearest'``, as `torch.nn.functional.grid_sample`,
            or ``'fourier'``: by shears that keep the power of every frequency, so that noise
            stays as it is (Unser, Thévenaz & Yaroslavsky, IEEE Trans. Image Processing, 1995).

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
