"""The way from HEALPix maps into the layers on equiangular grids."""

from __future__ import annotations

from torch import Tensor

from equivlab.fields.healpix import HealpixMaps
from equivlab.fields.sphere import SphereMaps
from equivlab.nn.base import FieldModule, integer
from equivlab.sphere.healpix.transform import healpix_sht
from equivlab.sphere.s2 import s2_ifft

__all__ = ["HealpixToSphere"]


class HealpixToSphere(FieldModule):
    """HEALPix maps as samples on the Driscoll–Healy grid, through their harmonics.

    ``layer(act(R, f)) == act(R, layer(f))``: exact for maps that hold no degree above ``b − 1``,
    else up to the little that the quadrature folds back. Put it in front of an `S2Conv`:
    ``nn.Sequential(HealpixToSphere(1, 32, 30), S2Conv(1, 20, 30, 10), ...)``. It has no weights.
    (To skip the samples: ``S2Conv(...).from_spectrum(healpix_sht(x))``.)

    Args:
        channels: maps ``C``.
        nside: their resolution.
        bandwidth: ``b`` of the result; degrees from ``b`` on are dropped.

    Raises:
        ValueError: a bandwidth above ``2·nside + 1``, more than the maps hold accurately.

    Shape:
        ``(B, C, 12·nside²)`` to ``(B, C, 2b, 2b)``.

    >>> HealpixToSphere(1, nside=32, bandwidth=30)
    HealpixToSphere(HealpixMaps(1, nside=32, lmax=29) -> SphereMaps(1, bandwidth=30))
    """

    in_field: HealpixMaps
    out_field: SphereMaps

    def __init__(self, channels: int, nside: int, bandwidth: int) -> None:
        channels = integer(channels, "channels", "HealpixToSphere")
        nside = integer(nside, "nside", "HealpixToSphere")
        bandwidth = integer(bandwidth, "bandwidth", "HealpixToSphere")
        if bandwidth > 2 * nside + 1:
            raise ValueError(
                f"Maps of nside {nside} hold the degrees 0 to {2 * nside} accurately; got "
                f"bandwidth {bandwidth}. Take at most {2 * nside + 1}, or finer maps."
            )
        super().__init__(
            HealpixMaps(channels, nside, bandwidth - 1), SphereMaps(channels, bandwidth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, 12·nside²)`` to ``(B, C, 2b, 2b)``."""
        bandwidth = self.out_field.bandwidth
        return s2_ifft(healpix_sht(self.check(x), bandwidth - 1), bandwidth).to(x.dtype)
