"""Fields in space: features that turn with the rotation, on voxels and on points.

**Which voxel axis is which.** Maps are ``(B, C, D, H, W)``; x runs along ``W``, y along ``H``
and z along ``D``, each with its index, as in `torch.nn.functional.grid_sample`. The origin is
the centre of the grid, so the voxel ``[d, h, w]`` stands at ``(w − (W−1)/2, h − (H−1)/2,
d − (D−1)/2)``. Points are ``(N, 3)`` with columns ``x y z``.

>>> import torch
>>> maps = IrrepMaps("2x0e + 1x1o")
>>> maps
IrrepMaps('2x0e+1x1o')
>>> quarter = SO3.from_zyz(torch.pi / 2, 0, 0)
>>> maps.act(quarter, torch.randn(1, 5, 9, 9, 9)).shape
torch.Size([1, 5, 9, 9, 9])
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from equivlab.fields.base import Field
from equivlab.fields.irreps import Irreps, as_irreps, turn_features
from equivlab.so3 import SO3, RotationGroup

__all__ = ["IrrepField", "IrrepMaps", "IrrepPoints", "IrrepVectors", "rotate_voxels"]

EXACT = 1e-9  # a matrix this near to a rotation of the cube is taken for it


@dataclass(frozen=True, repr=False, init=False)
class IrrepField(Field[Tensor]):
    """A field of irreps: `IrrepMaps`, `IrrepPoints`, `IrrepVectors`.

    Args:
        irreps: what the channels are, an `e3nn.o3.Irreps` or a string such as ``"8x0e + 4x1o"``.

    Attributes:
        channels: the size of axis 1, ``C``: the dimension of the irreps.

    Raises:
        ValueError: a string that names no irreps.
    """

    irreps: Irreps
    channels: int
    group: RotationGroup

    def __init__(self, irreps: str | Irreps) -> None:
        found = as_irreps(irreps, type(self).__name__)
        for name, value in (("irreps", found), ("channels", found.dim), ("group", SO3)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.irreps)!r})"

    def _wrong_channels(self, x: Tensor) -> str | None:
        if x.shape[1] == self.channels:
            return None
        return f"Axis 1 holds {x.shape[1]} channels; the irreps {self.irreps} need {self.channels}."


@dataclass(frozen=True, repr=False, init=False)
class IrrepMaps(IrrepField):
    """Features on voxels, ``(B, C, D, H, W)``; x is along ``W``, y along ``H``, z along ``D``.

    ``(g·f)(p) = D(g) f(g⁻¹p)``: voxels move *and* the components of each feature are mixed
    (Weiler, Geiger, Welling, Boomsma & Cohen, NeurIPS 2018, equation 3). Exact for the 24
    rotations of the cube; any other rotation interpolates, on cubic grids.

    Args:
        irreps: what the channels are, in e3nn's words, such as ``"8x0e + 4x1o"``.
    """

    @property
    def shape(self) -> str:
        return f"(B, {self.channels}, D, H, W)"

    def act(self, g: Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        """The action of the rotation `g` ``(3, 3)``, or of one for each sample ``(B, 3, 3)``."""
        return turn_features(self.irreps, g, rotate_voxels(x, g, mode))

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() == 4:
            return "Add the batch axis, x[None], or the channel axis, x[:, None]."
        if x.dim() != 5:
            return f"It wants 5 axes, not {x.dim()}: batch, channels, depth, rows, columns."
        return self._wrong_channels(x)


@dataclass(frozen=True, repr=False, init=False)
class IrrepPoints(IrrepField):
    """Features on points, ``(N, C)``; a batch of clouds is one long list of points.

    ``(g·f)(g·p) = D(g) f(p)``: points keep their place in the list, their features are mixed,
    and their positions are turned by `move`. Exact for every rotation (Thomas et al., *Tensor
    field networks*, 2018).

    Args:
        irreps: what the channels are, in e3nn's words, such as ``"8x0e + 4x1o"``.
    """

    @property
    def shape(self) -> str:
        return f"(N, {self.channels})"

    def act(self, g: Tensor, x: Tensor) -> Tensor:
        """The features ``(N, C)`` turned by `g` ``(3, 3)``; their positions turn by `move`."""
        return turn_features(self.irreps, g, x)

    def move(self, g: Tensor, positions: Tensor, shift: Tensor | None = None) -> Tensor:
        """The positions ``(N, 3)`` turned by `g`, then moved by `shift` ``(3,)``."""
        turned = positions @ SO3.check(g).to(positions).mT
        return turned if shift is None else turned + shift.to(positions)

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() == 3:
            return "Put the points of a batch in one list: x.flatten(0, 1), with batch indices."
        if x.dim() != 2:
            return f"It wants 2 axes, not {x.dim()}: points and channels."
        return self._wrong_channels(x)


@dataclass(frozen=True, repr=False, init=False)
class IrrepVectors(IrrepField):
    """One feature for each sample, ``(B, C)``, without a place: a dipole, a moment of inertia.

    ``(g·f) = D(g) f``. Numbers that stay as they are, such as class scores, are `Invariant`.

    Args:
        irreps: what the channels are, in e3nn's words, such as ``"8x0e + 4x1o"``.
    """

    @property
    def shape(self) -> str:
        return f"(B, {self.channels})"

    def act(self, g: Tensor, x: Tensor) -> Tensor:
        """The features ``(B, C)`` turned by `g` ``(3, 3)`` or ``(B, 3, 3)``."""
        return turn_features(self.irreps, g, x)

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() != 2:
            return f"It wants 2 axes, not {x.dim()}: batch and channels."
        return self._wrong_channels(x)


def rotate_voxels(x: Tensor, g: Tensor, mode: str = "bilinear") -> Tensor:
    """Turn voxels about the centre of the grid: ``out(p) = x(g⁻¹p)``.

    The 24 rotations of the cube permute voxels exactly; others interpolate.

    Args:
        x: ``(B, C, D, H, W)``; x is along ``W``, y along ``H``, z along ``D``.
        g: one rotation ``(3, 3)``, or one for each sample ``(B, 3, 3)``.
        mode: ``'bilinear'`` (trilinear here) or ``'nearest'``, for `F.grid_sample`.

    Returns:
        A tensor as `x` (with ``D, H, W`` permuted as the box is); zero where the turned frame
        leaves the input.

    Raises:
        ValueError: not five axes; a grid that is no cube and a rotation that does not map it to
            a grid; or not ``B`` rotations.

    >>> import torch
    >>> x = torch.zeros(1, 1, 3, 3, 3)
    >>> x[0, 0, 1, 1, 2] = 1.0  # at x = 1, y = 0, z = 0
    >>> rotate_voxels(x, SO3.from_zyz(torch.pi / 2, 0, 0)).nonzero()[0, 2:]  # to y = 1
    tensor([1, 2, 1])
    """
    if x.dim() != 5:
        raise ValueError(
            f"rotate_voxels takes (B, C, D, H, W); got {tuple(x.shape)}. Add the axes: x[None]"
        )
    g = SO3.check(g).cpu()
    if g.dim() == 2:
        nearest = g.round()
        if float((g - nearest).abs().amax()) < EXACT:
            return _permute(x, nearest)
        g = g.expand(len(x), 3, 3)
    if g.shape != (len(x), 3, 3):
        raise ValueError(
            f"rotate_voxels takes one rotation (3, 3) or one for each of the {len(x)} samples; "
            f"got {tuple(g.shape)}."
        )
    if len(set(x.shape[2:])) > 1:
        raise ValueError(
            f"A free rotation takes cubic grids (B, C, D, D, D); got {tuple(x.shape)}. "
            "Pad them to a cube first: torch.nn.functional.pad"
        )
    # affine_grid asks where each output voxel comes from, in (x, y, z): the inverse rotation.
    source = F.pad(g.mT, (0, 1)).to(x)
    grid = F.affine_grid(source, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode=mode, align_corners=False)


def _permute(x: Tensor, g: Tensor) -> Tensor:
    """Turn by a signed permutation matrix: flips, then a transposition."""
    goes_to = g.abs().argmax(0).tolist()  # axis j of the input becomes axis goes_to[j]
    backwards = [j for j in range(3) if g[goes_to[j], j] < 0]
    turned = x.flip([-1 - j for j in backwards]) if backwards else x
    order = [0] * 3
    for j, i in enumerate(goes_to):
        order[2 - i] = 4 - j  # axes 0, 1, 2 (x, y, z) are dimensions 4, 3, 2
    return turned.permute(0, 1, *order).contiguous()
