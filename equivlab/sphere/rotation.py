"""Rotate band-limited signals exactly, by their spectra.

``(R·f)(x) = f(R⁻¹x)``. On the sphere degree ``l`` turns by ``f_l ↦ D^l(R) f_l``, on SO(3) by
``F^l ↦ D^l(R) F^l``; no sample is interpolated. What a grid holds beyond its bandwidth (noise
put on it point by point, for example) has no rotation; it is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from equivlab.sphere.grid import bandwidth_of
from equivlab.sphere.s2 import (
    at_least_single,
    degree_slice,
    degrees_of,
    no_autocast,
    s2_fft,
    s2_ifft,
)
from equivlab.sphere.so3_transform import blocks_degrees, so3_fft, so3_ifft
from equivlab.sphere.wigner import wigner_D

__all__ = ["rotate_blocks", "rotate_coefficients", "rotate_s2", "rotate_so3"]


def rotate_s2(x: Tensor, rotations: Tensor) -> Tensor:
    """Rotate signals on the sphere: ``(R·f)(x) = f(R⁻¹x)``, exact for bandwidth ``b``.

    ``rotate_s2(rotate_s2(f, R), Q) == rotate_s2(f, SO3.compose(Q, R))``.

    Args:
        x: samples ``(..., 2b, 2b)`` in ``β α`` on the Driscoll–Healy grid.
        rotations: ``(3, 3)``, or ``(N, 3, 3)``: one for each entry of the first axis of `x`
            (an axis of length 1 is repeated: one signal under ``N`` rotations).

    Returns:
        As `x`, or ``(N, ...)``.

    Raises:
        ValueError: no grid, no rotations, or another number of them.
    """
    bandwidth = bandwidth_of(x, 2, "rotate_s2")
    return s2_ifft(rotate_coefficients(s2_fft(x), rotations), bandwidth)


def rotate_so3(x: Tensor, rotations: Tensor) -> Tensor:
    """Rotate signals on SO(3): ``(R·f)(Q) = f(R⁻¹Q)``, exact for bandwidth ``b``.

    Args:
        x: samples ``(..., 2b, 2b, 2b)`` in ``β α γ`` on the SOFT grid.
        rotations: as `rotate_s2`.

    Returns:
        As `x`, or ``(N, ...)``.

    Raises:
        ValueError: no grid, no rotations, or another number of them.
    """
    bandwidth = bandwidth_of(x, 3, "rotate_so3")
    return so3_ifft(rotate_blocks(so3_fft(x), rotations), bandwidth)


def rotate_coefficients(coefficients: Tensor, rotations: Tensor) -> Tensor:
    """`rotate_s2` of a spectrum ``(..., L²)``: ``f_l ↦ D^l(R) f_l``."""
    degrees = degrees_of(coefficients, "rotate_coefficients")
    coefficients = at_least_single(coefficients)
    matrices = _matrices(rotations, degrees, coefficients.dim() - 1, coefficients)
    with no_autocast(coefficients):
        turned = [
            (D @ coefficients[..., degree_slice(degree), None])[..., 0]
            for degree, D in enumerate(matrices)
        ]
    return torch.cat(turned, -1)


def rotate_blocks(blocks: Sequence[Tensor], rotations: Tensor) -> list[Tensor]:
    """`rotate_so3` of a spectrum, blocks ``(..., 2l+1, 2l+1)``: ``F^l ↦ D^l(R) F^l``."""
    degrees = blocks_degrees(blocks, "rotate_blocks")
    blocks = [at_least_single(block) for block in blocks]
    matrices = _matrices(rotations, degrees, blocks[0].dim() - 2, blocks[0])
    with no_autocast(blocks[0]):
        return [D @ F for D, F in zip(matrices, blocks, strict=True)]


def _matrices(rotations: Tensor, degrees: int, axes: int, like: Tensor) -> list[Tensor]:
    """Wigner matrices that broadcast against `axes` leading axes, as `like` in dtype and home."""
    batched = isinstance(rotations, Tensor) and rotations.dim() == 3
    if batched and (axes == 0 or like.shape[0] not in (1, len(rotations))):
        held = f"has {like.shape[0]} on its first axis" if axes else "has no axis for them"
        raise ValueError(
            f"{len(rotations)} rotations turn as many signals, or one; the input {held}. Give "
            "one rotation (3, 3), or one for each: SO3.random_elements(len(x))"
        )
    if isinstance(rotations, Tensor) and rotations.dim() not in (2, 3):
        raise ValueError(
            f"Rotations are (3, 3) or (N, 3, 3); got {tuple(rotations.shape)}. Flatten them: "
            "rotations.reshape(-1, 3, 3)"
        )
    matrices = [D.to(like) for D in wigner_D(rotations, degrees)]
    if batched:
        matrices = [D.view(len(D), *[1] * (axes - 1), *D.shape[1:]) for D in matrices]
    return matrices
