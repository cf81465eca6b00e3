"""HEALPix maps as a field: pixels of equal area on the sphere, with rotations acting.

>>> import torch
>>> maps = HealpixMaps(channels=1, nside=8)
>>> maps
HealpixMaps(1, nside=8, lmax=16)
>>> R = maps.random_element(torch.Generator().manual_seed(0))
>>> maps.act(R, torch.randn(2, 1, 768)).shape
torch.Size([2, 1, 768])
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from equivlab.fields.base import Field
from equivlab.so3 import SO3, RotationGroup
from equivlab.sphere.healpix.maps import looks_nested, seen
from equivlab.sphere.healpix.rings import check_nside, nside_of_pixels
from equivlab.sphere.healpix.transform import rotate_healpix

__all__ = ["HealpixMaps"]


@dataclass(frozen=True, repr=False)
class HealpixMaps(Field[Tensor]):
    """Maps ``(B, C, 12·nside²)`` in RING order: ``(R·f)(x) = f(R⁻¹x)``.

    The action goes through harmonics up to `lmax`: exact (float64 1e-12, float32 1e-6, from
    nside 4 on) for maps that hold no more; what lies above is lost, and holes count as 0.

    Args:
        channels: the size of axis 1, ``C``.
        nside: the resolution, a power of two.
        lmax: the highest degree that the maps hold; by default ``2·nside``, the highest that
            the transform gives back accurately (see `equivlab.sphere.healpix_sht`).

    Raises:
        ValueError: `nside` is no power of two, or `lmax` is not in ``0…3·nside − 1``.
    """

    channels: int
    nside: int
    lmax: int | None = None
    group: RotationGroup = field(default=SO3, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "nside", check_nside(self.nside))
        if self.lmax is None:
            object.__setattr__(self, "lmax", 2 * self.nside)
        elif not 0 <= self.lmax < 3 * self.nside:
            raise ValueError(
                f"nside {self.nside} carries the degrees 0 to {3 * self.nside - 1}; got "
                f"lmax={self.lmax}. Take lmax={2 * self.nside} or a larger nside."
            )

    def __repr__(self) -> str:
        return f"HealpixMaps({self.channels}, nside={self.nside}, lmax={self.lmax})"

    @property
    def shape(self) -> str:
        return f"(B, {self.channels}, {12 * self.nside**2})"

    def act(self, g: Tensor, x: Tensor) -> Tensor:
        """The rotation `g` ``(3, 3)``, or one for each sample ``(B, 3, 3)``, acting on `x`."""
        return rotate_healpix(x, g, self.lmax)

    def validate(self, x: Tensor, taker: str | None = None, *, finite: bool = False) -> Tensor:
        """As `Field.validate`; with `finite` also refuses holes (UNSEEN) and NEST order.

        NEST order can be told only of maps that are smooth in it, from nside 4 on.
        """
        super().validate(x, taker, finite=finite)
        if finite and not bool(seen(x).all()):
            holes = int((~seen(x)).sum())
            raise ValueError(
                f"{taker or self!r} was asked to take maps without holes; got {holes} UNSEEN "
                f"pixels of {x.numel()}. Fill them: torch.where(seen(x), x, 0)"
            )
        if finite and looks_nested(x):
            raise ValueError(
                f"{taker or self!r} takes RING order; these maps are smooth in NEST order. "
                "Reorder them: nest_to_ring(x)"
            )
        return x

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() == 2:
            return "Add the batch axis, x[None], or that of the channels, x[:, None]."
        if x.dim() == 4:
            return "These look like samples on an equiangular grid: SphereMaps takes them."
        if x.dim() != 3:
            return f"It wants 3 axes, not {x.dim()}: batch, channels, pixels."
        if x.shape[2] != 12 * self.nside**2:
            try:
                nside = nside_of_pixels(x.shape[2])
            except ValueError as error:
                return str(error)
            return f"This map has nside {nside}. Change its resolution: ud_grade(x, {self.nside})"
        return self._wrong_channels(x)
