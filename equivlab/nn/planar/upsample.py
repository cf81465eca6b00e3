"""Larger maps: interpolation, map by map."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from equivlab.fields import RegularMaps
from equivlab.groups import PointGroup
from equivlab.nn.base import FieldModule, integer

__all__ = ["GroupUpsample2d", "enlarged"]

MODES = ("nearest", "nearest-exact", "bilinear", "bicubic", "area")


def enlarged(
    maps: Tensor,
    size: tuple[int, ...] | None,
    factor: float | None,
    mode: str,
    align_corners: bool | None,
    alike: bool,
) -> Tensor:
    """`torch.nn.functional.interpolate`, from one corner or as the mean from all four.

    Args:
        maps: ``(B, C, H, W)``.
        size: rows and columns of the result.
        factor: instead of it, how many times as many.
        mode: as there.
        align_corners: as there.
        alike: all corners give the same, so one will do.

    Returns:
        ``(B, C, H', W')``.
    """
    options = (size, factor, mode, align_corners)
    if alike:
        return F.interpolate(maps, *options)
    corners = [F.interpolate(maps.flip(n), *options).flip(n) for n in ([], [-2], [-1], [-2, -1])]
    return (corners[0] + corners[1] + corners[2] + corners[3]) / 4


class GroupUpsample2d(FieldModule):
    """Interpolate each map of a regular field to another size.

    ``layer(act(g, f)) == act(g, layer(f))`` exactly, or to rounding, on every size. By a whole
    factor this is `torch.nn.functional.interpolate`. By another one, that is not equivariant: it
    takes the left of two equal neighbours, and counts from the left where the new size is rounded.
    There the layer takes the mean of what it gives from all four corners.

    Args:
        group: `P4` or `P4M`.
        channels: regular fields ``C``.
        size: rows and columns of the result.
        scale_factor: instead of it, how many times as many; neither where `forward` gets `like`.
        mode: as `torch.nn.functional.interpolate`.
        align_corners: for ``'bilinear'`` and ``'bicubic'``, as there.

    Shape:
        ``(B, C, G, H, W)`` to ``(B, C, G, H', W')``.

    Raises:
        ValueError: a group on hexagons, an unknown mode, both `size` and `scale_factor`, or a
            tensor of another kind.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> GroupUpsample2d(P4, 8, scale_factor=2)(torch.ones(1, 8, 4, 7, 7)).shape
    torch.Size([1, 8, 4, 14, 14])
    """

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        size: int | tuple[int, int] | None = None,
        scale_factor: float | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        field = RegularMaps(group, integer(channels, "channels", type(self).__name__))
        super().__init__(field, field)
        if field.on_hexagons:
            raise ValueError(
                f"{self.label} interpolates between square pixels, and {group} acts on hexagons. "
                f"Use GroupDouble2d({group}, {channels})."
            )
        if mode not in MODES:
            modes = ", ".join(map(repr, MODES))
            raise ValueError(f"{self.label}: mode is one of {modes}; got {mode!r}.")
        if size is not None and scale_factor is not None:
            raise ValueError(f"{self.label} takes a size or a scale_factor; got both.")
        self.size: tuple[int, ...] | None = None
        if size is not None:
            sides = size if isinstance(size, tuple) else (size, size)
            self.size = tuple(integer(n, "size", self.label) for n in sides)
        whole = scale_factor is not None and float(scale_factor).is_integer()
        self.scale_factor = int(scale_factor) if whole and scale_factor else scale_factor
        self.mode = mode
        self.align_corners = align_corners

    def is_exact(self, size: int) -> bool:
        """True: where one corner would do otherwise than another, all have their say."""
        return True

    def forward(self, x: Tensor, like: Tensor | None = None) -> Tensor:
        """Interpolate ``(B, C, G, H, W)``, to the size of `like` if that is given."""
        maps = self.check(x).flatten(1, 2)  # (B, C·G, H, W)
        size, factor = (self.size, self.scale_factor) if like is None else (like.shape[-2:], None)
        if size is None and factor is None:
            raise ValueError(
                f"{self.label} was made without size and scale_factor: call it with like=, a "
                "tensor of the size that is wanted."
            )
        alike = self._alike(maps.shape[-2:], size)
        larger = enlarged(maps, size, factor, self.mode, self.align_corners, alike)
        return larger.view(*x.shape[:3], *larger.shape[-2:])

    def _alike(self, given: tuple[int, ...], wanted: tuple[int, ...] | None) -> bool:
        """Whether every corner gives the same."""
        if wanted is None:
            return float(self.scale_factor or 0.5).is_integer()
        whole = all(new % old == 0 for new, old in zip(wanted, given, strict=True))
        return whole or self.mode in ("bilinear", "bicubic", "area")

    def extra_repr(self) -> str:
        """The field and the settings, for `print(model)`."""
        parts = [str(self.in_field)]
        for name, usual in (
            ("size", None), ("scale_factor", None), ("mode", None), ("align_corners", None),
        ):  # fmt: skip
            if getattr(self, name) is not usual:
                parts.append(f"{name}={getattr(self, name)!r}")
        return ", ".join(parts)
