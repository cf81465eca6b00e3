"""Spherical CNNs: those of the 2018 paper, smooth and spin-weighted ones, and the planar twin.

Each is written out layer by layer, so that the page shows the network. Cohen, Geiger, Köhler
& Welling, *Spherical CNNs* (ICLR 2018), sections 5.2 to 5.4, and the code published with it.

>>> sum(p.numel() for p in spherical_digit_cnn().parameters())
58550
>>> sum(p.numel() for p in planar_digit_cnn().parameters())
68106
"""

from __future__ import annotations

import math

import torch
from torch import nn

from equivlab.models.placing import place
from equivlab.nn.sphere.conv import S2Conv, SO3Conv
from equivlab.nn.sphere.moments import S2Moments, SO3Integrate, SO3Moments
from equivlab.nn.sphere.norm import NormedConv
from equivlab.nn.sphere.spin import SpinActivation, SpinConv
from equivlab.sphere.grid import (
    s2_equatorial_grid,
    s2_near_identity_grid,
    so3_equatorial_grid,
    so3_near_identity_grid,
    spin_kernel_grid,
)

__all__ = [
    "planar_digit_cnn",
    "smooth_spherical_digit_cnn",
    "smooth_spherical_shape_cnn",
    "spherical_digit_cnn",
    "spherical_shape_cnn",
    "spin_digit_cnn",
]


def spherical_digit_cnn(
    in_channels: int = 1,
    classes: int = 10,
    *,
    bandwidth: int = 30,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Sequential:
    """The network of Cohen et al. for digits on the sphere, of 58 thousand parameters.

    Cohen, Geiger, Köhler & Welling, ICLR 2018, section 5.2. Its ReLUs act on full grids, so it is
    only roughly equivariant: relative errors of a few per cent on digits.
    `smooth_spherical_digit_cnn` is the careful one.

    Args:
        in_channels: channels of the input.
        classes: class scores.
        bandwidth: of the input; the layers have a third and a fifth of it.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, 2b, 2b)`` to ``(B, classes)``.
    """
    second, third = max(1, bandwidth // 3), max(1, bandwidth // 5)
    points = so3_near_identity_grid(max_gamma=math.pi / 8, n_gamma=3)
    model = nn.Sequential(
        S2Conv(in_channels, 20, bandwidth, second),
        nn.ReLU(),
        SO3Conv(20, 40, second, third, points),
        nn.ReLU(),
        SO3Integrate(40, third),
        nn.Linear(40, classes),
    )
    return place(model, device, dtype)


def planar_digit_cnn(
    in_channels: int = 1,
    classes: int = 10,
    *,
    size: int = 60,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Sequential:
    """The planar twin of `spherical_digit_cnn`: two convolutions 5×5 with stride 3 on the picture.

    Cohen, Geiger, Köhler & Welling, ICLR 2018, section 5.2. Rows are β, columns α.

    Args:
        in_channels: channels of the input.
        classes: class scores.
        size: rows and columns of the input, ``2b``.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, size, size)`` to ``(B, classes)``.
    """
    side = ((size - 5) // 3 + 1 - 5) // 3 + 1
    model = nn.Sequential(
        nn.Conv2d(in_channels, 32, 5, stride=3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 5, stride=3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * side**2, classes),
    )
    return place(model, device, dtype)


def smooth_spherical_digit_cnn(
    in_channels: int = 1,
    classes: int = 10,
    *,
    bandwidth: int = 30,
    grids: tuple[int, int, int] | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Sequential:
    """A spherical network for digits that keeps the law: smooth corners on grids with room.

    Every layer leaves part of its grid's degrees free, normalises over SO(3), and applies a
    SiLU, a ReLU with its corner rounded; the next layer looks at the lowest degrees only.

    How well it keeps the law after training depends on its grids. Trained on digits in one
    pose, it can learn to tell poses apart by the frequencies that coarse ones fold back. The
    same weights on a finer last grid forget that: build it again with one and load them.

    Args:
        in_channels: channels of the input.
        classes: class scores.
        bandwidth: of the input; 30, or another that is 12 or more.
        grids: bandwidths behind the three convolutions, by default 3/5, 4/15 and 1/3 of the
            input's. Weights serve any last grid, but only the first two they were trained with.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, 2b, 2b)`` to ``(B, classes)``.
    """
    # The first layer has the degrees that tell digits apart, in few channels: it is the dear one.
    # The last grid carries nothing but invariants, and yet must resolve the SiLU's corners and
    # the tilted mean's exponential: with 4b/15 of b/3 its law error doubles.
    first, second, third = grids or (bandwidth * 3 // 5, bandwidth * 4 // 15, bandwidth // 3)
    points = (
        s2_near_identity_grid(math.pi / 6),
        so3_near_identity_grid(math.pi / 5, math.pi, n_alpha=6, n_beta=2, n_gamma=6),
        so3_near_identity_grid(math.pi / 3, math.pi, n_alpha=6, n_beta=1, n_gamma=6),
    )
    model = nn.Sequential(
        NormedConv(S2Conv(in_channels, 8, bandwidth, first, points[0], lmax=bandwidth // 2 - 1)),
        nn.SiLU(),
        NormedConv(SO3Conv(8, 28, first, second, points[1], lmax=bandwidth // 5 - 1)),
        nn.SiLU(),
        NormedConv(SO3Conv(28, 40, second, third, points[2], lmax=bandwidth * 2 // 15 - 1)),
        nn.SiLU(),
        SO3Moments(40, third, tilts=(2.0,)),  # the parts of a digit are somewhere, not everywhere
        nn.BatchNorm1d(120),
        nn.Linear(120, classes),
    )
    return place(model, device, dtype)


def spin_digit_cnn(
    in_channels: int = 1,
    classes: int = 10,
    *,
    bandwidth: int = 30,
    angles: int = 10,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Sequential:
    """A deep spherical network for digits: five layers of features with few orders in γ.

    A feature of `SpinConv` with orders up to 2 is five maps on the sphere, where one of `SO3Conv`
    is as many as its grid has angles γ: so there are more layers here, on finer grids, than in
    `smooth_spherical_digit_cnn`. All else is as there: every layer leaves part of its grid's
    degrees free, normalises, and applies a SiLU.

    Args:
        in_channels: channels of the input.
        classes: class scores.
        bandwidth: of the input; 30, or another that is 10 or more.
        angles: γ at which the SiLUs are evaluated. Fewer leave more of the pose in the features,
            which a network that is trained on one pose learns. Weights serve any number.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, 2b, 2b)`` to ``(B, classes)``.
    """
    # The last grid carries nothing but invariants, and has room for the tilted mean's exponential.
    layers: list[nn.Module] = []
    channels, orders, before = in_channels, 0, bandwidth
    for width, top, grid, degrees, tilt, rings in (
        (10, 2, 22, 17, math.pi / 6, 4),
        (14, 2, 18, 13, math.pi / 6, 2),
        (16, 2, 15, 10, math.pi / 6, 2),
        (22, 2, 12, 8, math.pi / 5, 2),
        (64, 0, 16, 6, math.pi / 3, 2),
    ):
        after, lmax = bandwidth * grid // 30, bandwidth * degrees // 30 - 1
        points = spin_kernel_grid(orders, top, tilt, rings)
        conv = SpinConv(channels, width, before, after, orders, top, points, lmax, bias=False)
        layers += [NormedConv(conv), SpinActivation(width, after, top, angles=angles)]
        channels, orders, before = width, top, after
    model = nn.Sequential(
        *layers,
        S2Moments(channels, before, tilts=(2.0,)),
        nn.BatchNorm1d(3 * channels),
        nn.Linear(3 * channels, classes),
    )
    return place(model, device, dtype)


def spherical_shape_cnn(
    in_channels: int = 6,
    classes: int = 55,
    *,
    bandwidths: tuple[int, int, int] = (64, 16, 10),
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Sequential:
    """The network of Cohen et al. for shapes seen from a sphere around them.

    Cohen, Geiger, Köhler & Welling, ICLR 2018, section 5.3. Kernels around the equator, a hundred
    features, batch normalisation.

    Args:
        in_channels: distance and normal of the surface, and of its convex hull.
        classes: class scores.
        bandwidths: of the input and of the two layers.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, 2b, 2b)`` to ``(B, classes)``.
    """
    first, second, third = bandwidths
    lift = s2_equatorial_grid(n_alpha=2 * first)
    points = so3_equatorial_grid(max_gamma=0, n_alpha=2 * second, n_gamma=1)
    model = nn.Sequential(
        NormedConv(S2Conv(in_channels, 100, first, second, lift)),
        nn.ReLU(),
        NormedConv(SO3Conv(100, 100, second, third, points)),
        nn.ReLU(),
        SO3Integrate(100, third),
        nn.Linear(100, classes),
    )
    return place(model, device, dtype)


def smooth_spherical_shape_cnn(
    in_channels: int = 7,
    classes: int = 10,
    *,
    bandwidth: int = 16,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Sequential:
    """A shape network for a CPU that keeps the law, made as `smooth_spherical_digit_cnn`.

    Args:
        in_channels: of `project_voxel_surface` or `project_mesh`.
        classes: class scores.
        bandwidth: of the input; 8 or more.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, 2b, 2b)`` to ``(B, classes)``.
    """
    first, second, third = bandwidth * 5 // 8, bandwidth // 2, bandwidth * 3 // 8
    grids = (
        s2_near_identity_grid(math.pi / 4),
        so3_near_identity_grid(math.pi / 3, math.pi, n_alpha=6, n_beta=2, n_gamma=6),
        so3_near_identity_grid(math.pi / 2, math.pi, n_alpha=6, n_beta=1, n_gamma=6),
    )
    model = nn.Sequential(
        NormedConv(S2Conv(in_channels, 24, bandwidth, first, grids[0], lmax=first * 4 // 5 - 1)),
        nn.SiLU(),
        NormedConv(SO3Conv(24, 40, first, second, grids[1], lmax=second * 3 // 4 - 1)),
        nn.SiLU(),
        NormedConv(SO3Conv(40, 64, second, third, grids[2], lmax=third * 2 // 3 - 1)),
        nn.SiLU(),
        SO3Integrate(64, third),
        nn.BatchNorm1d(64),
        nn.Linear(64, classes),
    )
    return place(model, device, dtype)
