"""The corners of HEALPix pixels, to draw them."""

from __future__ import annotations

import numpy as np

from equivlab.sphere.healpix.rings import (
    FACE_COLUMN,
    FACE_ROW,
    Floats,
    every_second_bit,
    nest_of_ring,
)

__all__ = ["pixel_corners"]


def pixel_corners(nside: int) -> tuple[Floats, Floats]:
    """Heights ``z`` and longitudes of the corners, north, west, south, east: ``(12·nside², 4)``.

    RING order. The longitudes of one pixel follow each other without a jump, so some are negative;
    a corner at a pole has that of its pixel's middle. Górski et al. 2005, section 4.
    """
    face, within = np.divmod(nest_of_ring(nside), nside * nside)
    x, y = every_second_bit(within), every_second_bit(within >> 1)
    # In units of a face: x to the north-east, y to the north-west.
    right = np.stack([x + 1, x, x, x + 1], -1) / nside
    left = np.stack([y + 1, y + 1, y, y], -1) / nside
    row = FACE_ROW[face][:, None] - right - left  # 0 at the north pole, 4 at the south pole
    from_pole = np.clip(np.minimum(row, 4 - row), 0, 1)
    cap = np.where(row < 2, 1.0, -1.0) * (1 - from_pole**2 / 3)
    z = np.where((row < 1) | (row > 3), cap, (2 - row) * 2 / 3)
    off_pole = from_pole > 1e-9
    across = np.where(off_pole, (right - left) / np.where(off_pole, from_pole, 1.0), 0.0)
    return z, (FACE_COLUMN[face][:, None] + across) * np.pi / 4
