"""Small steps between a telescope's flux and a network: stretch, scale, crop.

Each is a function of a batch ``(..., H, W)`` that returns a new one, and each commutes with
turns and mirrors of the pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["arcsinh_stretch", "crop_center", "scale_each", "sqrt_stretch", "standardize_each"]


def sqrt_stretch(x: Tensor) -> Tensor:
    """``sign(x) sqrt|x|``: photon noise becomes equally strong everywhere."""
    return x.sign() * x.abs().sqrt()


def arcsinh_stretch(x: Tensor, softening: float | Tensor = 1.0) -> Tensor:
    """``arcsinh(x/a)``: linear below the softening ``a``, logarithmic above (Lupton et al., 2004).

    Args:
        x: ``(..., H, W)``.
        softening: in the units of `x`; the deviation of the background is a good choice.
    """
    return torch.asinh(x / softening)


def scale_each(x: Tensor) -> Tensor:
    """Each image to [0, 1]: ``(x − min)/(max − min)`` over its channels and pixels.

    Args:
        x: ``(B, C, H, W)``, or one image ``(C, H, W)``.
    """
    low, high = x.amin((-3, -2, -1), keepdim=True), x.amax((-3, -2, -1), keepdim=True)
    return (x - low) / (high - low).clamp_min(torch.finfo(x.dtype).tiny)


def standardize_each(x: Tensor) -> Tensor:
    """Each image to mean 0 and deviation 1 over its channels and pixels, ``(..., C, H, W)``."""
    axes = (-3, -2, -1)
    spread = x.std(axes, correction=0, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
    return (x - x.mean(axes, keepdim=True)) / spread


def crop_center(x: Tensor, size: int) -> Tensor:
    """The middle `size` × `size` pixels; zeros are added where the image is smaller.

    Where `size` and the image differ by an odd number, the middle lies half a pixel off, so
    turning before and after differs: choose a size of the same parity.
    """
    for axis in (-2, -1):
        side = x.shape[axis]
        if side > size:
            x = x.narrow(axis, (side - size) // 2, size)
        elif side < size:
            before = (size - side) // 2
            margins = [0, 0, 0, 0]
            place = 0 if axis == -1 else 2
            margins[place], margins[place + 1] = before, size - side - before
            x = torch.nn.functional.pad(x, margins)
    return x
