"""HEALPix: pixels, orders, and spherical harmonics of its maps."""

from equivlab.sphere.healpix.maps import (
    UNSEEN,
    looks_nested,
    nest_to_ring,
    ring_to_nest,
    sample_healpix,
    seen,
    ud_grade,
)
from equivlab.sphere.healpix.rings import check_nside, nside_of_pixels
from equivlab.sphere.healpix.transform import healpix_isht, healpix_sht, rotate_healpix

__all__ = [
    "UNSEEN",
    "check_nside",
    "healpix_isht",
    "healpix_sht",
    "looks_nested",
    "nest_to_ring",
    "nside_of_pixels",
    "ring_to_nest",
    "rotate_healpix",
    "sample_healpix",
    "seen",
    "ud_grade",
]
