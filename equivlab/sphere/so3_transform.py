"""The Fourier transform on SO(3): real irreducible representations, real signals.

A spectrum is a ragged list with one tensor for each degree: block ``l`` has shape
``(..., 2l+1, 2l+1)`` and holds ``F^l_mn``, orders from ``−l`` to ``l``. A list, because a
correlation is one matrix product for each degree and nothing else mixes them. In memory a
block of ``(B, C, m, n)`` stands in the order ``B m C n`` in which that product wants it.

The convention is that of the paper (Cohen, Geiger, Köhler & Welling, ICLR 2018, section 4)::

    F^l_mn = ∫ f(R) D^l_mn(R) dR,    f(R) = Σ_l (2l + 1) Σ_mn F^l_mn D^l_mn(R),

with the Haar measure of volume 1 and the real matrices of `wigner_D`. Then
``Σ (2l + 1) |F^l|²`` is the mean of ``f²``, and ``f(R⁻¹·)`` has the blocks ``D^l(R) F^l``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from equivlab.sphere.compiled import transform as compiled
from equivlab.sphere.grid import bandwidth_of
from equivlab.sphere.linear import LinearMap, linear, transform_family
from equivlab.sphere.s2 import at_least_single, check_bandwidth, check_lmax, no_autocast
from equivlab.sphere.so3_routes import FftRoute, GemmRoute, Route, fft_route, gemm_route

__all__ = ["blocks_degrees", "choose_route", "so3_fft", "so3_ifft"]

Sizes = tuple[int, int, bool]  # bandwidth, degrees, analysis or synthesis
CHUNK_BYTES = {"cpu": 1 << 21}  # a few of these fit into the cache
CHUNK_BYTES_ELSEWHERE = 1 << 28
GEMM_BANDWIDTH = 24
GEMM_TABLE = 1 << 24  # numbers in the tables of a GemmRoute, at most


def choose_route(bandwidth: int, degrees: int) -> type[GemmRoute] | type[FftRoute]:
    """Which way is faster: dense products on small grids and for few degrees, else the FFT.

    Measured on one CPU thread: three times faster at b = 10, level at b = 28, and 1.4 times
    faster at b = 32 with 20 degrees. The table also has to stay small.
    """
    numbers = (2 * degrees - 1) ** 2 * 2 * degrees * 2 * bandwidth
    few = bandwidth <= GEMM_BANDWIDTH or 3 * degrees <= 2 * bandwidth
    return GemmRoute if few and numbers <= GEMM_TABLE else FftRoute


def so3_fft(x: Tensor, *, lmax: int | None = None) -> list[Tensor]:
    """The spectrum of samples on the SOFT grid of SO(3).

    ``F^l_mn = ∫ f(R) D^l_mn(R) dR``, exact for ``f`` of bandwidth ``b``: then
    ``so3_ifft(so3_fft(x)) == x``. Differentiable, twice; the adjoint is explicit.

    Args:
        x: ``(..., 2b, 2b, 2b)`` in ``β α γ``; half precision is computed in float32.
        lmax: the highest degree wanted, ``L − 1``; by default ``b − 1``, all that there are.

    Returns:
        ``L`` blocks ``(..., 2l+1, 2l+1)``.

    Raises:
        TypeError: no floating-point tensor.
        ValueError: axes that are no SOFT grid, or `lmax` not in 0…b − 1.

    >>> [tuple(F.shape) for F in so3_fft(torch.randn(4, 8, 8, 8), lmax=1)]
    [(4, 1, 1), (4, 3, 3)]
    """
    bandwidth = bandwidth_of(x, 3, "so3_fft")
    degrees = check_lmax(lmax, bandwidth, "so3_fft") + 1
    x = at_least_single(x)
    lead = x.shape[:-3]
    with no_autocast(x):
        blocks = _project(x.reshape(*_two(lead), *x.shape[-3:]), (bandwidth, degrees, True))
    return [block.transpose(1, 2).reshape(*lead, *block.shape[1::2]) for block in blocks]


def so3_ifft(blocks: Sequence[Tensor], bandwidth: int | None = None) -> Tensor:
    """Samples on the SOFT grid of ``f(R) = Σ (2l+1) Σ F^l_mn D^l_mn(R)``; inverts `so3_fft`.

    Args:
        blocks: ``L`` tensors ``(..., 2l+1, 2l+1)``.
        bandwidth: ``b ≥ L`` of the grid; ``L`` by default.

    Returns:
        ``(..., 2b, 2b, 2b)`` in ``β α γ``.

    Raises:
        TypeError: no list of floating-point tensors.
        ValueError: blocks of other shapes, or ``b < L``.
    """
    degrees = blocks_degrees(blocks, "so3_ifft")
    bandwidth = check_bandwidth(bandwidth, degrees, "so3_ifft")
    blocks = [at_least_single(block) for block in blocks]
    lead, n = blocks[0].shape[:-2], 2 * bandwidth
    two = _two(lead)
    with no_autocast(blocks[0]):
        flat = [F.reshape(*two, *F.shape[-2:]).transpose(1, 2) for F in blocks]
        out = _expand((bandwidth, degrees, False), flat)
    return out.view(*lead, n, n, n)


def blocks_degrees(blocks: Sequence[Tensor], taker: str) -> int:
    """The number of degrees of a spectrum on SO(3), or an error that says what is wrong."""
    if isinstance(blocks, Tensor) or not len(blocks) or not isinstance(blocks[0], Tensor):
        raise TypeError(
            f"{taker} takes the list of blocks that so3_fft gives, one tensor (..., 2l+1, 2l+1) "
            f"for each degree; got {type(blocks).__name__}."
        )
    lead, kind = blocks[0].shape[:-2], (blocks[0].dtype, blocks[0].device)
    for degree, block in enumerate(blocks):
        side = 2 * degree + 1
        if block.shape != (*lead, side, side) or (block.dtype, block.device) != kind:
            raise ValueError(
                f"{taker} takes blocks of one dtype, device and leading shape; block {degree} is "
                f"{(*lead, side, side)}; got {tuple(block.shape)} of {block.dtype}. Keep them in "
                "order, from degree 0, as so3_fft gives them."
            )
    return len(blocks)


def route(
    bandwidth: int, degrees: int, analysis: bool, dtype: torch.dtype, device: torch.device
) -> Route:
    """The tables of one size, kept in memory: for `so3_fft` (`analysis`) or for `so3_ifft`."""
    make = gemm_route if choose_route(bandwidth, degrees) is GemmRoute else fft_route
    return make(bandwidth, degrees, analysis, dtype, device)


def _shape(sizes: Sequence[int], shape: Sequence[int], transposed: bool) -> list[int]:
    bandwidth, degrees, _ = sizes
    K = 2 * degrees - 1
    return [shape[2], *[2 * bandwidth] * 3] if transposed else [K, K, shape[0], degrees]


@transform_family("so3", _shape)
def _maps(
    sizes: Sequence[int], dtype: torch.dtype, device: torch.device
) -> tuple[LinearMap, LinearMap]:
    bandwidth, degrees, analysis = sizes
    found = route(bandwidth, degrees, bool(analysis), dtype, device)
    return found.project, found.expand


def _two(lead: Sequence[int]) -> tuple[int, int]:
    """Any leading axes as batch and channels."""
    channels = lead[-1] if lead else 1
    batch = 1
    for side in lead[:-1]:
        batch *= side
    return batch, channels


def _chunks(batch: int, channels: int, signals: int) -> Iterator[tuple[slice, slice]]:
    """Cut ``batch × channels`` signals into pieces of about `signals`."""
    rows = max(1, signals // channels)
    columns = channels if rows > 1 else min(channels, max(1, signals))
    for i in range(0, batch, rows):
        for j in range(0, channels, columns):
            yield slice(i, i + rows), slice(j, j + columns)


def _signals_at_once(plan: Route, x: Tensor) -> int:
    limit = CHUNK_BYTES.get(x.device.type, CHUNK_BYTES_ELSEWHERE)
    return max(1, limit // (plan.floats() * x.element_size()))


def _project(x: Tensor, sizes: Sizes) -> tuple[Tensor, ...]:
    """Samples ``(B, C, 2b, 2b, 2b)`` to blocks ``(B, m, C, n)``."""
    if torch.compiler.is_compiling():
        return _cut(linear(x.flatten(0, 1), "so3", sizes), x.shape[:2])
    found: tuple[Tensor, ...] = _Project.apply(x, sizes)  # type: ignore[no-untyped-call]
    return found


def _expand(sizes: Sizes, blocks: Sequence[Tensor]) -> Tensor:
    """Blocks ``(B, m, C, n)`` to samples ``(B, C, 2b, 2b, 2b)``."""
    if torch.compiler.is_compiling():
        B, _, C, _ = blocks[0].shape
        x = linear(_padded(blocks, sizes[1]), "so3", sizes, transposed=True)
        return x.view(B, C, *x.shape[1:])
    found: Tensor = _Expand.apply(sizes, *blocks)  # type: ignore[no-untyped-call]
    return found


def _cut(spectrum: Tensor, lead: Sequence[int]) -> tuple[Tensor, ...]:
    """The blocks ``(B, m, C, n)`` in a padded spectrum ``(a, b, B·C, l)``: views."""
    spectrum = spectrum.unflatten(2, tuple(lead))
    L = spectrum.shape[-1]
    cuts = [slice(L - 1 - degree, L + degree) for degree in range(L)]
    return tuple(spectrum[c, c, ..., degree].permute(2, 0, 3, 1) for degree, c in enumerate(cuts))


def _padded(blocks: Sequence[Tensor], degrees: int) -> Tensor:
    """The transpose of `_cut`: zeros where a degree has no such order."""
    B, _, C, _ = blocks[0].shape
    K = 2 * degrees - 1
    spectrum = blocks[0].new_zeros(K, K, B, C, degrees)
    for degree, block in enumerate(blocks):
        cut = slice(degrees - 1 - degree, degrees + degree)
        spectrum[cut, cut, ..., degree] = block.permute(1, 3, 0, 2)
    return spectrum.flatten(2, 3)


class _Project(torch.autograd.Function):
    """`_project` in pieces that fit into the cache; the adjoint of `_Expand`."""

    @staticmethod
    def forward(x: Tensor, sizes: Sizes) -> tuple[Tensor, ...]:
        B, C = x.shape[:2]
        plan = route(*sizes, x.dtype, x.device)
        if compiled.fits(plan, [x], B * C):
            return compiled.project(plan, x)
        blocks = tuple(x.new_empty(B, side, C, side) for side in range(1, 2 * plan.degrees, 2))
        for rows, columns in _chunks(B, C, _signals_at_once(plan, x)):
            part = x[rows, columns]
            found = _cut(plan.project(part.reshape(-1, *x.shape[2:])), part.shape[:2])
            for block, piece in zip(blocks, found, strict=True):
                block[rows, :, columns] = piece
        return blocks

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.sizes = inputs[1]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return _expand(ctx.sizes, grads), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, sizes: Sizes) -> Any:
        many = x.movedim(in_dims[0], 0)
        found = _project(many.flatten(0, 1), sizes)
        return tuple(block.unflatten(0, many.shape[:2]) for block in found), (0,) * len(found)


class _Expand(torch.autograd.Function):
    """`_expand` in pieces that fit into the cache; the adjoint of `_Project`."""

    @staticmethod
    def forward(sizes: Sizes, *blocks: Tensor) -> Tensor:
        B, _, C, _ = blocks[0].shape
        plan = route(*sizes, blocks[0].dtype, blocks[0].device)
        if compiled.fits(plan, blocks, B * C):
            return compiled.expand(plan, blocks)
        n = 2 * plan.bandwidth
        x = blocks[0].new_empty(B, C, n, n, n)
        for rows, columns in _chunks(B, C, _signals_at_once(plan, x)):
            part = x[rows, columns]  # contiguous: whole rows, or a piece of one
            spectrum = _padded([block[rows, :, columns] for block in blocks], plan.degrees)
            plan.expand(spectrum, part.view(-1, n, n, n))
        return x

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.sizes = inputs[0]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return None, *_project(grads[0], ctx.sizes)

    @staticmethod
    def vmap(info: Any, in_dims: Any, sizes: Sizes, *blocks: Tensor) -> Any:
        many = [
            block.expand(info.batch_size, *block.shape) if at is None else block.movedim(at, 0)
            for block, at in zip(blocks, in_dims[1:], strict=True)
        ]
        x = _expand(sizes, [block.flatten(0, 1) for block in many])
        return x.unflatten(0, many[0].shape[:2]), 0
