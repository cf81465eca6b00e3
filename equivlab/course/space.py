"""Checks for the exercises on space: fields that turn, products of vectors, left and right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equivlab.course.verdict import Verdict, run_attempt
from equivlab.data.shapes.procedural import tetris_points
from equivlab.so3 import SO3

__all__ = ["check_products", "check_screws", "check_turn", "score_screws"]

CLOSE = 1e-9
CUTOFF = 1.6  # of the networks in `score_screws`: a cube's neighbours, across its edges too


def check_turn(attempt: Callable[[Tensor, Tensor, Tensor], Any]) -> Verdict:
    """A rotation of a vector field on points: ``attempt(R, positions, vectors)``.

    Args:
        attempt: takes a rotation ``(3, 3)``, positions and vectors ``(N, 3)``, all float64;
            should give both turned, ``p ↦ R p`` and ``v ↦ R v``.
    """
    R = SO3.from_zyz(0.4, 1.1, -0.7)
    generator = torch.Generator().manual_seed(0)
    p, v = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    found, trouble = _run(attempt, (R, p.clone(), v.clone()), [(5, 3), (5, 3)])
    if found is None:
        return Verdict(False, trouble)
    moved, turned = found
    if _same(moved, p @ R.T) and _same(turned, v @ R.T):
        return Verdict(True, "The points move, and the arrows on them turn along.")
    if _same(moved, p @ R) or _same(turned, v @ R):
        return Verdict(False, "This is the inverse rotation. Rows times R.T is R times columns.")
    if _same(moved, p @ R.T):
        return Verdict(False, "The points move, but the arrows keep their old direction.")
    if _same(turned, v @ R.T):
        return Verdict(False, "The arrows turn, but the points stay where they were.")
    return Verdict(False, "Both should be multiplied by R.")


def check_products(attempt: Callable[[Tensor, Tensor], Any]) -> Verdict:
    """The three parts of the product of two vectors: ``attempt(a, b)``.

    Args:
        attempt: takes vectors ``a`` and ``b`` ``(N, 3)``, float64; should give a number ``(N,)``,
            ``a·b``; a vector ``(N, 3)``, ``a × b``; and a matrix ``(N, 3, 3)``, the symmetric part
            of ``a bᵀ`` without its trace.
    """
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    found, trouble = _run(attempt, (a.clone(), b.clone()), [(4,), (4, 3), (4, 3, 3)])
    if found is None:
        return Verdict(False, trouble)
    number, vector, matrix = found
    dot = (a * b).sum(1)
    outer = a[:, :, None] * b[:, None, :]
    third = dot[:, None, None] / 3 * torch.eye(3, dtype=torch.float64)
    if not _same(number, dot):
        return Verdict(False, "The number should be a·b: multiply, and sum over the last axis.")
    if _same(vector, torch.linalg.cross(b, a)):
        return Verdict(False, "The vector is b × a, which is −a × b.")
    if not _same(vector, torch.linalg.cross(a, b)):
        return Verdict(False, "The vector should be a × b.")
    if not _same(matrix, matrix.mT):
        return Verdict(False, "The matrix is not symmetric. Take the mean of a bᵀ and b aᵀ.")
    if not _same(matrix.diagonal(dim1=1, dim2=2).sum(1), torch.zeros_like(dot)):
        return Verdict(False, "The matrix has a trace: that is a·b once more. Take it away.")
    if not _same(matrix, (outer + outer.mT) / 2 - third):
        return Verdict(False, "The matrix should be (a bᵀ + b aᵀ)/2 − (a·b)/3 · 1.")
    return Verdict(True, "1 + 3 + 5 = 9: the product in three parts, each turning by itself.")


def score_screws(irreps: Any, seed: int = 0) -> Tensor:
    """Features ``(2, C)`` of the left and the right screw, from three random point convolutions.

    Args:
        irreps: what the last layer gives; summed over the four points of each piece.
        seed: of the weights.

    Raises:
        ValueError: irreps that do not exist, or that these layers cannot reach.
    """
    from equivlab.nn.space.neighbors import find_neighbors
    from equivlab.nn.space.points import PointConv

    pieces = tetris_points()
    hidden = "4x0e + 4x1o + 4x1e + 4x2e"
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        layers = [
            PointConv("1x0e", "4x0e + 4x1o + 4x2e", CUTOFF, mean_neighbors=3),
            PointConv("4x0e + 4x1o + 4x2e", hidden, CUTOFF, mean_neighbors=3),
            PointConv(hidden, irreps, CUTOFF, mean_neighbors=3),
        ]
        scores = []
        for name in ("left screw", "right screw"):
            points = pieces.x[pieces.classes.index(name)]
            near, x = find_neighbors(points, CUTOFF), torch.ones(len(points), 1)
            for layer in layers:
                x = layer(x, near)
            scores.append(x.sum(0))
    return torch.stack(scores)


def check_screws(irreps: Any) -> Verdict:
    """Irreps of a score that tells the left screw from the right one, wherever they point."""
    from equivlab.fields.irreps import as_irreps

    if irreps is None or irreps is ...:
        return Verdict(False, "Write irreps, such as '1x0e'.")
    try:
        given = as_irreps(irreps)
        scores = score_screws(given)
    except ValueError as error:
        return Verdict(False, str(error).splitlines()[0])
    if any(irrep.l > 0 for _, irrep in given):
        return Verdict(False, "This turns with the piece, so it is no score. Take degree 0.")
    if float((scores[0] - scores[1]).abs().max()) < 1e-5:
        return Verdict(
            False,
            f"Both screws get {float(scores[0, 0]):.3f}: a number that a mirror leaves alone "
            "cannot tell them apart.",
        )
    left, right = scores[:, 0].tolist()
    return Verdict(True, f"Left {left:+.1e}, right {right:+.1e}: a mirror changes the sign.")


def _run(
    attempt: Callable[..., Any], given: tuple[Tensor, ...], shapes: list[tuple[int, ...]]
) -> tuple[tuple[Tensor, ...] | None, str]:
    """What the attempt gives, or None and what is wrong with it at first sight."""
    found, trouble = run_attempt(attempt, given)
    if trouble:
        return None, trouble
    if not isinstance(found, tuple) or len(found) != len(shapes):
        return None, f"It should give {len(shapes)} tensors: return them with commas between."
    for number, (one, shape) in enumerate(zip(found, shapes, strict=True), 1):
        if not isinstance(one, Tensor) or tuple(one.shape) != shape:
            what = tuple(one.shape) if isinstance(one, Tensor) else type(one).__name__
            return None, f"Result {number} should be a tensor {shape}; this is {what}."
    return found, ""


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= CLOSE)
