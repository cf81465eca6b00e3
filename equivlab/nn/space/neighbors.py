"""Who is near whom: the neighbours of every point within a cutoff, with torch alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from equivlab.fields.irreps import harmonics
from equivlab.tables import ordinary

__all__ = ["Neighbors", "find_neighbors"]

AT_ONCE = 1 << 24  # distances held in memory at a time
FLAT = 1e-6  # volume of a cell with edges of length 1 that counts as none


@dataclass(frozen=True)
class Neighbors:
    """Pairs of points that see each other, sorted by target.

    Attributes:
        source: the neighbour's place in the list of points, ``(E,)``.
        target: the point that it is a neighbour of, ``(E,)``.
        vector: from the target to the source, ``(E, 3)``; gradients flow to the positions.
        count: points in all, ``N``.
        cutoff: the radius within which they were looked for.
    """

    source: Tensor
    target: Tensor
    vector: Tensor
    count: int
    cutoff: float
    _known: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.source)

    def distance(self) -> Tensor:
        """How far the neighbours are, ``(E,)``; the gradient of a distance 0 is 0."""
        return self._once("distance", lambda: torch.linalg.vector_norm(self.vector, dim=1))

    def harmonics(self, lmax: int) -> Tensor:
        """Spherical harmonics of the directions up to degree `lmax`, ``(E, (lmax+1)²)``."""
        return self._once(
            f"harmonics {lmax}",
            lambda: torch.cat([harmonics(f, self.vector) for f in range(lmax + 1)], 1),
        )

    def _once(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """Remember what the layers of a network share, but no part of a graph and of no mode."""
        if self.vector.requires_grad or not ordinary(self.vector):
            return make()
        if name not in self._known:
            kind = self.vector.device.type
            with torch.inference_mode(False), torch.autocast(kind, enabled=False):
                self._known[name] = make()
        return self._known[name]


torch.export.register_dataclass(Neighbors, serialized_type_name="equivlab.Neighbors")


def find_neighbors(
    positions: Tensor,
    cutoff: float,
    batch: Tensor | None = None,
    cell: Tensor | None = None,
) -> Neighbors:
    """All pairs of points of the same cloud nearer than `cutoff`, a point with itself left out.

    Coincident points are neighbours at distance 0. An isolated point has no neighbours; that
    *no* point has any is taken for a mistake in the cutoff.

    Args:
        positions: ``(N, 3)``, columns ``x y z``, the points of all clouds in one list.
        cutoff: radius, in the units of the positions.
        batch: the number of each point's cloud ``(N,)``, in any order; None for one cloud.
        cell: rows are the three edges of a box that repeats, ``(3, 3)``; a point then sees the
            images of the others, and its own. One cell for all clouds.

    Returns:
        Source, target and vector of every pair, sorted by target.

    Raises:
        TypeError: positions that are no tensor of floating-point numbers.
        ValueError: an empty cloud, NaN, another shape or device, a cutoff that joins nothing, or
            a cell without volume.

    >>> points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [5, 0, 0]])
    >>> near = find_neighbors(points, cutoff=1.5)
    >>> near.source, near.target
    (tensor([1, 0]), tensor([0, 1]))
    """
    _check(positions, cutoff, batch, cell)
    place = positions.detach()
    with torch.no_grad():
        if cell is not None:
            source, target, shift = _periodic(place, cutoff, batch, cell.to(place))
        else:
            source, target = _open(place, cutoff, batch)
            shift = None
    clouds = 1 if batch is None else len(batch.unique())
    if len(source) == 0 and len(positions) > clouds:
        raise ValueError(_joins_nothing(place, cutoff, batch))
    vector = positions[source] - positions[target]
    if shift is not None:
        vector = vector + shift
    return Neighbors(source, target, vector, len(positions), float(cutoff))


def _check(positions: Tensor, cutoff: float, batch: Tensor | None, cell: Tensor | None) -> None:
    if not isinstance(positions, Tensor) or not positions.is_floating_point():
        given = getattr(positions, "dtype", type(positions).__name__)
        raise TypeError(
            f"find_neighbors takes positions (N, 3) of floating-point numbers; got {given}. "
            "Convert them: torch.as_tensor(positions, dtype=torch.float32)"
        )
    if positions.dim() != 2 or positions.shape[1] != 3 or len(positions) == 0:
        raise ValueError(
            f"find_neighbors takes positions (N, 3) of at least one point; got "
            f"{tuple(positions.shape)}. Put a batch of clouds in one list, with batch=; leave "
            "empty clouds out."
        )
    if not bool(torch.isfinite(positions).all()):
        bad = int((~torch.isfinite(positions)).any(1).sum())
        raise ValueError(
            f"find_neighbors takes finite positions; got NaN or infinity in {bad} of "
            f"{len(positions)} points. Drop them: positions[torch.isfinite(positions).all(1)]"
        )
    if not (math.isfinite(cutoff) and cutoff > 0):
        raise ValueError(f"find_neighbors takes a cutoff above 0; got {cutoff}.")
    if batch is not None:
        if batch.shape != positions.shape[:1] or batch.is_floating_point():
            raise ValueError(
                f"batch holds the number of each point's cloud, ({len(positions)},) integers; "
                f"got {tuple(batch.shape)} of {batch.dtype}."
            )
        if batch.device != positions.device:
            raise ValueError(
                f"The positions are on {positions.device} and batch is on {batch.device}. "
                f"Move one of them: batch.to({str(positions.device)!r})"
            )
    if cell is not None and not _has_volume(cell):
        raise ValueError(
            f"cell holds the three edges of a box as rows, (3, 3), finite and with a volume; got "
            f"{cell.tolist()}. Along an axis where nothing repeats give an edge longer than the "
            "cloud and cutoff together."
        )


def _has_volume(cell: Tensor) -> bool:
    """Whatever the unit of length: the edges, scaled to 1, are not in one plane."""
    edges = cell.detach().double()
    if edges.shape != (3, 3) or not bool(torch.isfinite(edges).all()):
        return False
    lengths = torch.linalg.vector_norm(edges, dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        return False
    return abs(float(torch.linalg.det(edges / lengths))) > FLAT


def _groups(count: int, batch: Tensor | None, device: torch.device) -> tuple[Tensor, Tensor]:
    """The points of each cloud as rows ``(B, M)`` of their places, and which of those are real."""
    if batch is None:
        places = torch.arange(count, device=device)[None]
        return places, torch.ones_like(places, dtype=torch.bool)
    order = torch.argsort(batch, stable=True)
    _, sizes = torch.unique_consecutive(batch[order], return_counts=True)
    real = torch.arange(int(sizes.max()), device=device) < sizes[:, None]  # (B, M)
    places = torch.zeros(real.shape, dtype=torch.long, device=device)
    places[real] = order
    return places, real


def _open(place: Tensor, cutoff: float, batch: Tensor | None) -> tuple[Tensor, Tensor]:
    """Pairs in open space: distances of each cloud to itself, some rows at a time."""
    groups, real = _groups(len(place), batch, place.device)
    most = groups.shape[1]
    same = torch.arange(most, device=place.device)
    rows = max(1, AT_ONCE // (3 * most * len(groups)))
    clouds = max(1, AT_ONCE // (3 * most * min(rows, most)))
    found = []
    for members, exists in zip(groups.split(clouds), real.split(clouds), strict=True):
        at = place[members]  # (B', M, 3)
        for start in range(0, most, rows):
            cut = slice(start, start + rows)
            gap = (at[:, cut, None] - at[:, None]).square().sum(-1)  # (B', rows, M)
            near = (gap < cutoff**2) & exists[:, cut, None] & exists[:, None]
            near &= same[cut, None] != same
            b, i, j = near.nonzero(as_tuple=True)
            found.append((members[b, j], members[b, i + start]))
    source = torch.cat([pair[0] for pair in found])
    target = torch.cat([pair[1] for pair in found])
    order = torch.argsort(target, stable=True)
    return source[order], target[order]


def _periodic(
    place: Tensor, cutoff: float, batch: Tensor | None, cell: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs in a box that repeats, and what to add to the vector for the image that is meant."""
    inverse = torch.linalg.inv(cell)
    wraps = torch.floor(place @ inverse)  # (N, 3), whole boxes
    inside = place - wraps @ cell
    reach = (cutoff * torch.linalg.vector_norm(inverse, dim=0)).floor().long() + 1
    steps = [range(-int(n), int(n) + 1) for n in reach]
    groups, real = _groups(len(place), batch, place.device)
    same = torch.arange(groups.shape[1], device=place.device)
    at = inside[groups]  # (B, M, 3)
    found = []
    for step in itertools.product(*steps):
        offset = torch.tensor(step, dtype=cell.dtype, device=cell.device)
        gap = (at[:, None] + offset @ cell - at[:, :, None]).square().sum(-1)  # (B, M, M)
        near = (gap < cutoff**2) & real[:, :, None] & real[:, None]
        if not any(step):
            near &= same[:, None] != same
        b, i, j = near.nonzero(as_tuple=True)
        source, target = groups[b, j], groups[b, i]
        found.append((source, target, (offset - wraps[source] + wraps[target]) @ cell))
    source, target, shift = (torch.cat(parts) for parts in zip(*found, strict=True))
    order = torch.argsort(target, stable=True)
    return source[order], target[order], shift[order]


def _joins_nothing(place: Tensor, cutoff: float, batch: Tensor | None) -> str:
    groups, real = _groups(len(place), batch, place.device)
    biggest = int(real.sum(1).argmax())
    some = place[groups[biggest][real[biggest]]][:2000]
    gaps = torch.cdist(some, some).fill_diagonal_(math.inf)
    return (
        f"cutoff={cutoff} joins none of {len(place)} points: the nearest two of one cloud are "
        f"{float(gaps.min()):.3g} apart. Use a larger cutoff, about "
        f"{2 * float(gaps.amin(1).median()):.2g} here, or other units."
    )
