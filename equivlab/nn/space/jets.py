"""Smooth steerable kernels, applied one axis at a time.

A kernel of the profile ``'gaussian'`` is a polynomial of degree 3 or less times a Gaussian, so it
is a sum of the 20 products ``g_a(x) g_b(y) g_c(z)``, ``a + b + c ≤ 3``, with
``g_a(t) = (t/width)^a exp(−t² / 2·width²)``. The products of a signal with them span its *jet* of
Gaussian derivatives (Koenderink & van Doorn, *Representation of local geometry in the
visual system*, Biological Cybernetics 1987). A convolution is then: along x, along y, along z, and
one matrix that mixes channels and jets; 20 numbers for each pair of channels instead of ``k³``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.nn.space.kernel import GAUSSIAN_ORDER, KernelShape, Pair, evaluate_basis
from equivlab.tables import remembered

__all__ = ["MONOMIALS", "jet_basis", "jets", "monomial_taps"]

POWERS = range(GAUSSIAN_ORDER + 1)
MONOMIALS = [(a, b, c) for a in POWERS for b in POWERS for c in POWERS if a + b + c < len(POWERS)]


def monomial_taps(shape: KernelShape) -> Tensor:
    """The products ``g_a(x) g_b(y) g_c(z)`` on the taps, ``(20, k, k, k)`` with axes ``z y x``."""
    along = _axis_taps(shape)
    products = [torch.einsum("x,y,z->zyx", *(along[p] for p in powers)) for powers in MONOMIALS]
    return torch.stack(products)


@remembered(maxsize=256)
def jet_basis(pair: Pair, shape: KernelShape) -> Tensor:
    """Every smooth kernel for one pair of irreps in terms of the products, ``(T, o, i, 20)``.

    Scaled as `equivlab.nn.space.kernel.grid_basis`, float64.
    """
    generator = torch.Generator().manual_seed(0)  # 60 places say what 20 coefficients are
    places = torch.randn(60, 3, dtype=torch.float64, generator=generator)
    kernels = evaluate_basis(pair, shape, shape.width * places)  # (T, o, i, 60)
    gaussian = torch.exp(-places.square().sum(1) / 2)
    values = torch.stack([places.pow(torch.tensor(p)).prod(1) * gaussian for p in MONOMIALS])
    found = torch.linalg.lstsq(values.T, kernels.flatten(0, 2).T).solution.T
    basis = found.view(*kernels.shape[:3], len(MONOMIALS))
    on_taps = basis @ monomial_taps(shape).flatten(1)  # (T, o, i, k³)
    power = on_taps.square().sum((1, 2, 3)) / max(1, basis.shape[1])
    scaled: Tensor = basis / power.sqrt().view(-1, 1, 1, 1)
    return scaled


def jets(
    x: Tensor, shape: KernelShape, stride: int, padding: tuple[int, int], dilation: int
) -> Tensor:
    """Every channel of `x` correlated with the 20 products.

    Args:
        x: ``(B, C, D, H, W)``.
        shape: of the kernel.
        stride: of the windows.
        padding: zeros before and after each axis.
        dilation: between the taps.

    Returns:
        ``(B, C, 20, D', H', W')``.
    """
    steps = (shape, stride, padding, dilation)
    deep, high, wide = (_along(size, *steps).to(x) for size in x.shape[2:])  # (4, out, in) each
    by_x = torch.einsum("bczyx,awx->abczyw", x, wide)
    found = []
    for a in POWERS:
        by_y = torch.einsum("bczyw,phy->pbczhw", by_x[a], high[: len(POWERS) - a])
        for b, part in enumerate(by_y):
            found.append(torch.einsum("bczhw,qdz->bcqdhw", part, deep[: len(POWERS) - a - b]))
    return torch.cat(found, 2)


@remembered(maxsize=64)
def _along(
    size: int, shape: KernelShape, stride: int, padding: tuple[int, int], dilation: int
) -> Tensor:
    """The four profiles along one axis as matrices ``(4, out, size)``, float64."""
    k = shape.size
    taps = _axis_taps(shape)
    padded = sum(padding) + size
    count = (padded - dilation * (k - 1) - 1) // stride + 1
    out = torch.zeros(len(taps), count, padded, dtype=torch.float64)
    for row in range(count):
        out[:, row, row * stride : row * stride + dilation * (k - 1) + 1 : dilation] = taps
    return F.pad(out, (-padding[0], -padding[1]))


def _axis_taps(shape: KernelShape) -> Tensor:
    """``g_0`` to ``g_3`` on the taps of one axis, ``(4, k)``."""
    t = shape.offsets() / shape.width
    gaussian = torch.exp(-t.square() / 2)
    return torch.stack([t**power * gaussian for power in POWERS])
