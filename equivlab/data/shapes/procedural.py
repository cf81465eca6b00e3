"""Shapes made on the spot: furniture of random proportions, and the eight Tetris pieces."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equivlab.data.shapes.solids import Box, Post, Solid
from equivlab.so3 import SO3

__all__ = [
    "FURNITURE",
    "TETRIS",
    "LabelledShapes",
    "furniture",
    "furniture_solids",
    "tetris_points",
    "tetris_solids",
    "tetris_voxels",
]


class LabelledShapes(NamedTuple):
    """Shapes of one kind with labels.

    Attributes:
        x: grids ``(N, 1, D, D, D)`` or clouds ``(N, points, 3)``, float32.
        y: labels ``(N,)`` int64.
        classes: the names of the labels.
    """

    x: Tensor
    y: Tensor
    classes: tuple[str, ...]


Between = Callable[[float, float], float]


def _legs(x: float, y: float, height: float, thick: float) -> list[Box | Post]:
    """Four legs at (±x, ±y), from the ground up."""
    spots = [(sx * x, sy * y, height / 2) for sx in (-1, 1) for sy in (-1, 1)]
    return [Post(spot, thick, thick, height / 2) for spot in spots]


def _chair(u: Between) -> list[Box | Post]:
    width, depth, seat, back = u(0.4, 0.55), u(0.4, 0.55), u(0.75, 1.0), u(0.7, 1.2)
    return [
        Box((0, 0, seat), (width, depth, 0.09)),
        Box((0, depth - 0.08, seat + back / 2), (width, 0.08, back / 2)),
        *_legs(width - 0.09, depth - 0.09, seat, u(0.07, 0.1)),
    ]


def _stool(u: Between) -> list[Box | Post]:
    radius, seat = u(0.35, 0.5), u(1.0, 1.5)
    spread = radius / math.sqrt(2) - 0.04
    top = Post((0, 0, seat), radius, radius, 0.1)
    return [top, *_legs(spread, spread, seat, u(0.07, 0.1))]


def _table(u: Between) -> list[Box | Post]:
    width, depth, height = u(0.9, 1.3), u(0.55, 0.85), u(0.7, 1.0)
    return [
        Box((0, 0, height), (width, depth, 0.09)),
        *_legs(width - 0.12, depth - 0.12, height, u(0.08, 0.11)),
    ]


def _lamp(u: Between) -> list[Box | Post]:
    height, wide = u(1.6, 2.2), u(0.45, 0.65)
    shade = u(0.25, 0.4)
    return [
        Post((0, 0, 0.08), u(0.3, 0.5), 0.25, 0.08),
        Post((0, 0, height / 2), 0.08, 0.08, height / 2),
        Post((0, 0, height), wide, wide * u(0.35, 0.7), shade),
    ]


def _bed(u: Between) -> list[Box | Post]:
    width, length, height, head = u(0.5, 0.8), u(1.0, 1.3), u(0.25, 0.4), u(0.35, 0.6)
    return [
        Box((0, 0, height), (width, length, 0.14)),
        Box((0, length - 0.08, height + head / 2), (width, 0.08, head / 2 + 0.1)),
        *_legs(width - 0.1, length - 0.1, height, 0.09),
    ]


def _shelf(u: Between) -> list[Box | Post]:
    width, depth, height = u(0.5, 0.8), u(0.22, 0.35), u(1.6, 2.2)
    boards = 3 + int(u(0, 2.99))
    sides = [Box((s * width, 0, height / 2), (0.07, depth, height / 2)) for s in (-1, 1)]
    levels = [0.07 + n * (height - 0.14) / (boards - 1) for n in range(boards)]
    return [*sides, *(Box((0, 0, z), (width, depth, 0.07)) for z in levels)]


_MAKERS = {
    "chair": _chair, "stool": _stool, "table": _table,
    "lamp": _lamp, "bed": _bed, "shelf": _shelf,
}  # fmt: skip
FURNITURE = tuple(_MAKERS)


def furniture_solids(count: int, seed: int = 0) -> tuple[list[Solid], Tensor]:
    """`count` upright pieces of furniture with random proportions, the classes in turn.

    Returns:
        The solids, and their labels ``(count,)`` into `FURNITURE`. The first shapes of a seed do
        not depend on `count`.
    """
    generator = torch.Generator().manual_seed(seed)

    def between(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    labels = torch.arange(count) % len(FURNITURE)
    return [Solid(tuple(_MAKERS[FURNITURE[k]](between))) for k in labels.tolist()], labels


def furniture(
    count: int,
    kind: str = "voxels",
    *,
    size: int = 24,
    points: int = 256,
    rotations: Tensor | None = None,
    seed: int = 0,
) -> LabelledShapes:
    """Chairs, stools, tables, lamps, beds and shelves; all upright, or each turned exactly.

    Args:
        count: how many, the classes in turn.
        kind: ``'voxels'`` or ``'points'``.
        size: voxels along each edge of a grid.
        points: in each cloud, uniform on the surface.
        rotations: ``(count, 3, 3)``, or one ``(3, 3)`` for all. Solids are turned before they
            are filled in, so that grids are not interpolated.
        seed: of the proportions and the points.

    Returns:
        Grids ``(count, 1, size, size, size)`` of the filled part of each voxel, or clouds
        ``(count, points, 3)`` in the unit ball; see `LabelledShapes`.

    Raises:
        ValueError: another kind, a grid too small, or not as many rotations as shapes.

    >>> furniture(12, size=16).x.shape
    torch.Size([12, 1, 16, 16, 16])
    """
    solids, labels = furniture_solids(count, seed)
    turns = None if rotations is None else SO3.check(rotations).expand(count, 3, 3)
    x = _as_kind(solids, kind, size, points, turns, seed)
    return LabelledShapes(x, labels, FURNITURE)


def _as_kind(
    solids: Sequence[Solid], kind: str, size: int, points: int, turns: Tensor | None, seed: int
) -> Tensor:
    if kind not in ("voxels", "points"):
        raise ValueError(f"Shapes come as kind='voxels' or kind='points'; got kind={kind!r}.")
    if kind == "voxels":
        if size < 8:
            raise ValueError(f"Shapes need a grid of 8³ voxels or more; got size={size}.")
        each = [None] * len(solids) if turns is None else list(turns)
        return torch.stack([s.voxels(size, R) for s, R in zip(solids, each, strict=True)])[:, None]
    generator = torch.Generator().manual_seed(seed + 1)
    clouds = torch.stack([solid.points(points, generator) for solid in solids])
    return clouds if turns is None else clouds @ turns.mT.to(clouds)


#: The middles of the four cubes of each piece; the two screws are mirror images of each other.
TETRIS = {
    "left screw": ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 1, 0)),
    "right screw": ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, -1, 0)),
    "square": ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)),
    "line": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3)),
    "corner": ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "L": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0)),
    "T": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 1)),
    "zigzag": ((0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0)),
}


def tetris_points() -> LabelledShapes:
    """The eight pieces as four points each, ``(8, 4, 3)``, neighbours at distance 1.

    Two of them differ only by a mirror: no network that cannot tell left from right scores
    more than 7 of 8.

    Source:
        The shapes that Thomas et al., *Tensor field networks* (2018), and Weiler et al. (2018)
        learn to tell apart.
    """
    spots = torch.tensor(list(TETRIS.values()), dtype=torch.float32)
    spots = spots - spots.mean(1, keepdim=True)
    return LabelledShapes(spots, torch.arange(len(TETRIS)), tuple(TETRIS))


def tetris_solids() -> list[Solid]:
    """The eight pieces as cubes of edge 1."""
    return [
        Solid(tuple(Box((float(x), float(y), float(z)), (0.5, 0.5, 0.5)) for x, y, z in cubes))
        for cubes in TETRIS.values()
    ]


def tetris_voxels(size: int = 24, rotations: Tensor | None = None) -> LabelledShapes:
    """The eight pieces as grids ``(8, 1, size, size, size)``; `rotations` as in `furniture`.

    All have one scale: the line just fits.

    >>> tetris_voxels(16).x.shape
    torch.Size([8, 1, 16, 16, 16])
    """
    solids = tetris_solids()
    radius = max(solid.radius for solid in solids)
    each = [None] * len(solids)
    if rotations is not None:
        each = list(SO3.check(rotations).expand(len(solids), 3, 3))
    grids = [s.voxels(size, R, radius=radius) for s, R in zip(solids, each, strict=True)]
    return LabelledShapes(torch.stack(grids)[:, None], torch.arange(len(solids)), tuple(TETRIS))
