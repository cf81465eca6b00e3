"""The kernel on tensors that are at hand: no gradients, no modes, no records."""

from __future__ import annotations

from functools import lru_cache

from torch import Tensor

from equivlab.nn.planar.compiled.finer import finer_by_size
from equivlab.nn.planar.compiled.library import Library, Problem, load
from equivlab.nn.planar.compiled.places import places
from equivlab.processor import most_threads, threads_for

__all__ = [
    "Elements",
    "Geometry",
    "convolve",
    "convolve_adjoint",
    "correlate",
    "out_size",
    "packed",
    "problem_of",
    "run",
]

Geometry = tuple[int, int, int]  # stride, padding, dilation
Elements = tuple[int, int]  # of the group, and of P4 or P4M, over which it lies


def library() -> Library:
    """The compiled kernel.

    Raises:
        RuntimeError: there is none; `route` never leads here then.
    """
    found = load()
    if found is None:
        raise RuntimeError("equivlab was installed without its compiled kernel.")
    return found


def out_size(size: int, kernel_size: int, geometry: Geometry) -> int:
    """Rows or columns of the output."""
    stride, padding, dilation = geometry
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


def problem_of(
    shape: tuple[int, ...], outs: int, group: Elements, kernel_size: int, geometry: Geometry
) -> Problem:
    """The sizes of a convolution of maps of this shape to `outs` fields, for the kernel."""
    return _problem(shape, outs, group, kernel_size, geometry, most_threads())


@lru_cache(maxsize=512)
def _problem(
    shape: tuple[int, ...],
    outs: int,
    group: Elements,
    kernel_size: int,
    geometry: Geometry,
    _: int,
) -> Problem:
    # The last number is what `threads_for` goes by: another one, another problem.
    batch, ins, sheets, height, width = shape
    tables = finer_by_size(*group)
    outs *= tables.copies
    if sheets > 1:
        ins, sheets = ins * tables.copies, tables.order
    rows, columns = (out_size(size, kernel_size, geometry) for size in (height, width))
    work = batch * rows * columns * ins * sheets * outs * tables.order * kernel_size**2
    sizes = (tables.order, sheets, batch, ins, outs, height, width, kernel_size, *geometry)
    stand = places(tables.order, kernel_size, sheets == 1)
    return Problem(*sizes, rows, columns, threads_for(work), places=stand, finer=tables)


def plain(x: Tensor) -> Tensor:
    """`x` as the kernel reads it: in order, each number as it is."""
    return x if x.is_contiguous() and not x.is_neg() else x.resolve_neg().contiguous()


def packed(problem: Problem, weight: Tensor) -> Tensor:
    """The weights as the kernel reads them."""
    return library().pack(problem, plain(weight))


def run(
    problem: Problem, x: Tensor, matrices: Tensor, bias: Tensor | None, relu: bool = False
) -> Tensor:
    """The kernel at once, without a record for gradients."""
    shift = None if bias is None else plain(bias)
    return library().forward(problem, plain(x), matrices, shift, relu)


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, elements: int, order: int, *geometry: int
) -> Tensor:
    """A group convolution of ``(B, I, G, H, W)``, or of an image ``(B, I, 1, H, W)``."""
    outs = len(weight) * order // elements
    problem = problem_of(x.shape, outs, (elements, order), weight.shape[-1], geometry)  # type: ignore[arg-type]
    shift = None if bias is None else plain(bias)
    return library().convolve(problem, plain(x), plain(weight), shift)


def correlate(x: Tensor, gradient: Tensor, order: int, kernel_size: int, *geometry: int) -> Tensor:
    """The gradient of `convolve` to its weights."""
    outs, elements = gradient.shape[1:3]
    problem = problem_of(x.shape, outs, (elements, order), kernel_size, geometry)  # type: ignore[arg-type]
    return library().weight_gradient(problem, plain(x), plain(gradient))


def convolve_adjoint(
    gradient: Tensor, weight: Tensor, order: int, padding: int, dilation: int
) -> Tensor:
    """The gradient of `convolve` to its input, no image, with stride 1."""
    elements, k = gradient.shape[2], weight.shape[-1]
    ins = weight.shape[1] // elements
    problem = problem_of(gradient.shape, ins, (elements, order), k, (1, padding, dilation))
    return library().convolve(problem, plain(gradient), plain(weight), adjoint=True)
