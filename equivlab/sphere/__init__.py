"""The sphere and the rotation group: grids, quadrature, Wigner functions, transforms.

Three kinds of spectra, all real: one tensor ``(..., L²)`` on the sphere (`equivlab.sphere.s2`), a
list of blocks ``(..., 2l+1, 2l+1)`` on SO(3) (`equivlab.sphere.so3_transform`), and
``(..., 2N+1, L²)`` for what has few orders in γ there (`equivlab.sphere.spin`).

>>> import torch
>>> from equivlab.so3 import SO3
>>> f = s2_ifft(torch.randn(1, 1, 36))  # a random signal of bandwidth 6
>>> R = SO3.from_zyz(0.3, 1.2, -0.5)
>>> turned = rotate_s2(rotate_s2(f, R), SO3.inverse(R))
>>> torch.allclose(turned, f, atol=1e-5)
True
"""

from __future__ import annotations

from equivlab.imports import late_names
from equivlab.sphere.grid import (
    dh_angles,
    quadrature_weights,
    s2_equatorial_grid,
    s2_near_identity_grid,
    so3_equatorial_grid,
    so3_near_identity_grid,
    spin_kernel_grid,
)
from equivlab.sphere.healpix.maps import (
    UNSEEN,
    nest_to_ring,
    ring_to_nest,
    sample_healpix,
    seen,
    ud_grade,
)
from equivlab.sphere.healpix.transform import healpix_isht, healpix_sht, rotate_healpix
from equivlab.sphere.rotation import rotate_blocks, rotate_coefficients, rotate_s2, rotate_so3
from equivlab.sphere.s2 import degree_slice, s2_fft, s2_ifft
from equivlab.sphere.so3_transform import so3_fft, so3_ifft
from equivlab.sphere.spin import rotate_spin, spin_fft, spin_ifft
from equivlab.sphere.wigner import wigner_D, wigner_d

__all__ = [
    "UNSEEN",
    "degree_slice",
    "dh_angles",
    "healpix_isht",
    "healpix_sht",
    "nest_to_ring",
    "quadrature_weights",
    "ring_to_nest",
    "rotate_blocks",
    "rotate_coefficients",
    "rotate_healpix",
    "rotate_s2",
    "rotate_so3",
    "rotate_spin",
    "s2_equatorial_grid",
    "s2_fft",
    "s2_ifft",
    "s2_near_identity_grid",
    "sample_healpix",
    "seen",
    "so3_equatorial_grid",
    "so3_fft",
    "so3_ifft",
    "so3_near_identity_grid",
    "spin_fft",
    "spin_ifft",
    "spin_kernel_grid",
    "ud_grade",
    "wigner_D",
    "wigner_d",
]

# These moved upstairs, to `equivlab.projection`, and are still found here. By name only: an
# import statement would point upwards, and this room works without that one.
MOVED = [
    "project_image",
    "project_lonlat",
    "project_mesh",
    "project_molecule",
    "project_points",
    "project_voxel_surface",
    "project_voxels",
    "view_sphere",
]

__getattr__, __dir__ = late_names(__name__, dict.fromkeys(MOVED, "equivlab.projection"))
