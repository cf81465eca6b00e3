"""Turn images by three shears, each a shift of rows or columns in the Fourier domain.

Interpolating between pixels smooths noise, so a network that learns from turned images meets
noise that no real image has. A shift by the Fourier transform only changes phases: it keeps the
power of every frequency, and white noise stays white.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["turn_by_shears"]


def turn_by_shears(x: Tensor, angles: Tensor) -> Tensor:
    """Turn square maps about their centre, counter-clockwise as displayed, with all their noise.

    A turn is a shear along the rows, one along the columns, and the first again (Unser,
    Thévenaz & Yaroslavsky, *Convolution-based interpolation for fast, high-quality rotation of
    images*, IEEE Transactions on Image Processing, 1995). What leaves the frame on one side
    comes in on the other.

    Args:
        x: ``(B, C, H, H)``, floating point.
        angles: radians, ``(B,)``, from −π/4 to π/4; larger ones shear far beyond the frame.

    Returns:
        A tensor as `x`.
    """
    side = x.shape[-1]
    home = torch.device("cpu") if x.device.type == "mps" else x.device  # MPS has no float64
    angles = angles.to(home, torch.float64)
    rows, columns = _phases(torch.tan(angles / 2), side), _phases(-torch.sin(angles), side)
    work = x if x.dtype in (torch.float32, torch.float64) else x.float()
    return _shear(_shear(_shear(work, rows).mT, columns).mT, rows).to(x.dtype)


def _phases(slopes: Tensor, side: int) -> Tensor:
    """What shifts each row by its distance from the middle times the slope, in the spectrum."""
    rows = torch.arange(side, dtype=slopes.dtype, device=slopes.device) - (side - 1) / 2
    shifts = slopes[:, None] * rows  # in pixels, (B, H)
    frequencies = torch.fft.rfftfreq(side, dtype=slopes.dtype, device=slopes.device)
    phases = -2 * math.pi * shifts[..., None] * frequencies
    return torch.polar(torch.ones_like(phases), phases)[:, None]  # (B, 1, H, W/2 + 1)


def _shear(x: Tensor, phases: Tensor) -> Tensor:
    """Shift each row of ``(B, C, H, H)``."""
    spectrum = torch.fft.rfft(x)
    shifted: Tensor = torch.fft.irfft(spectrum * phases.to(spectrum), n=x.shape[-1])
    return shifted
