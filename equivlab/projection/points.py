"""Point clouds and molecules as smooth signals on spheres.

Points have no area, so each is given a bump. Sums of bumps turn with the points exactly; how
wide they are decides how much a grid of some bandwidth loses.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from equivlab.projection.grids import sphere_grid

__all__ = ["QM7_ELEMENTS", "project_molecule", "project_points"]

QM7_ELEMENTS = (1, 6, 7, 8, 16)
"""H, C, N, O and S: the five channels of the QM7 experiment."""

QM7_RADIUS = 0.479
"""Half the shortest distance of two atoms in QM7 (0.9585 Å): spheres about atoms stay apart."""


def project_points(
    points: Tensor,
    features: Tensor | None = None,
    *,
    bandwidth: int | None = None,
    nside: int | None = None,
    width: float | None = None,
) -> Tensor:
    """A cloud of points as its centre sees it: ``Σ_i a_i exp((n·p̂_i − 1)/width²)``.

    Exactly equivariant as a function of ``n``: each point is a von Mises–Fisher bump, whose
    degree ``l`` falls off as ``exp(−l²·width²/2)``.

    Args:
        points: ``(B, N, 3)``, seen from the origin; subtract a centre first.
        features: the amplitudes ``a``, ``(B, N, C)``; by default two channels, 1 and the
            distance in units of the cloud's largest.
        bandwidth: gives ``(B, C, 2b, 2b)``.
        nside: instead of it, gives ``(B, C, 12·nside²)``.
        width: of a bump in radians; by default two samples of the grid, so that the degree
            ``b`` is down to 1 %.

    Returns:
        Signals in the dtype of `points`, differentiable.

    Raises:
        ValueError: no clouds, features that do not fit, a width that is not positive.
    """
    if points.dim() != 3 or points.shape[-1] != 3 or not points.is_floating_point():
        raise ValueError(
            f"project_points takes points (B, N, 3) of real numbers; got {tuple(points.shape)} "
            f"of {points.dtype}. Add the batch axis: points[None]"
        )
    if points.shape[1] == 0:
        raise ValueError(f"project_points takes clouds of points; got {tuple(points.shape)}.")
    grid = sphere_grid(bandwidth, nside, "project_points")
    width = 2 * grid.spacing if width is None else width
    if not width > 0:
        raise ValueError(f"A bump has a positive width in radians; got {width}.")
    distance = torch.linalg.vector_norm(points, dim=-1, keepdim=True)  # (B, N, 1)
    if features is None:
        largest = distance.amax(1, keepdim=True).clamp_min(1e-12)
        features = torch.cat([torch.ones_like(distance), distance / largest], -1)
    if features.dim() != 3 or features.shape[:2] != points.shape[:2]:
        raise ValueError(
            f"project_points takes features (B, N, C) for points {tuple(points.shape)}; got "
            f"{tuple(features.shape)}."
        )
    unit = points / distance.clamp_min(1e-12)
    n = grid.points()[:, 0].to(points)  # (K, 3)
    parts = []
    at_once = max(1, 2**22 // (len(n) * points.shape[1]))
    for p, a in zip(unit.split(at_once), features.split(at_once), strict=True):
        bumps = torch.exp((p @ n.mT - 1) / width**2)  # (B, N, K)
        parts.append(a.mT.to(points) @ bumps)
    signals = torch.cat(parts)  # (B, C, K)
    return signals.reshape(*signals.shape[:2], *grid.shape)


def project_molecule(
    positions: Tensor,
    charges: Tensor,
    *,
    bandwidth: int | None = None,
    nside: int | None = None,
    elements: Sequence[int] = QM7_ELEMENTS,
    radius: float = QM7_RADIUS,
    potential: str = "gaussian",
    width: float = 1.0,
) -> Tensor:
    """Each atom's view of the others: potentials on a small sphere about it, one per element.

    ``U_z(x) = Σ_{j ≠ i, z_j = z} z_i z_j k(|x − p_j|)`` for ``x`` on the sphere about atom ``i``,
    with ``k(r) = exp(−r²/(2·width²))`` or ``1/r``. A turned molecule has turned signals, and the
    order of the atoms moves only the axis ``N``.

    Args:
        positions: ``(B, N, 3)``, in Å.
        charges: ``(B, N)``, nuclear charges; 0 where there is no atom.
        bandwidth: gives ``(B, N, T, 2b, 2b)``.
        nside: instead of it, gives ``(B, N, T, 12·nside²)``.
        elements: the charges that get a channel, ``T`` of them; by default 1, 6, 7, 8 and 16 (H, C,
            N, O and S, those of QM7).
        radius: of the spheres, in Å; by default 0.479, half the shortest distance in QM7.
        potential: ``'gaussian'`` or ``'coulomb'``.
        width: of the Gaussian, in Å.

    Returns:
        Signals in the dtype of `positions`, differentiable; zero for missing atoms.

    Raises:
        ValueError: shapes that do not fit, an atom without a channel, an unknown potential.

    Source:
        Cohen, Geiger, Köhler & Welling, ICLR 2018, section 5.4, after the Coulomb matrix of
        Rupp et al. 2012.
    """
    if positions.dim() != 3 or positions.shape[-1] != 3 or charges.shape != positions.shape[:2]:
        raise ValueError(
            f"project_molecule takes positions (B, N, 3) and charges (B, N); got "
            f"{tuple(positions.shape)} and {tuple(charges.shape)}. Pad short molecules with 0."
        )
    if potential not in ("gaussian", "coulomb"):
        raise ValueError(f"A potential is 'gaussian' or 'coulomb'; got {potential!r}.")
    wanted = torch.tensor(list(elements), device=charges.device)
    unknown = set(charges.unique().tolist()) - {0, *elements}
    if unknown:
        raise ValueError(
            f"project_molecule has channels for the charges {tuple(elements)}; got "
            f"{sorted(unknown)} as well. Add them: elements=(...)"
        )
    grid = sphere_grid(bandwidth, nside, "project_molecule")
    n = grid.points()[:, 0].to(positions)  # (K, 3)
    z = charges.to(positions)
    kind = (charges[:, :, None] == wanted).to(positions)  # (B, N, T)
    alone = 1 - torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    signals = []
    for p, zs, of in zip(positions, z, kind, strict=True):
        between = p[:, None] - p[None]  # (i, j, 3), from p_j to p_i
        square = between.square().sum(-1, keepdim=True) + radius**2 + 2 * radius * between @ n.mT
        if potential == "gaussian":
            kernel = torch.exp(-square / (2 * width**2))  # (i, j, K)
        else:
            # No sphere touches another atom; the atom's own centre is left out below.
            kernel = torch.rsqrt(square.clamp_min(1e-6 * radius**2))
        weight = zs[:, None] * zs[None] * alone  # (i, j)
        signals.append(torch.einsum("ijk,ij,jt->itk", kernel, weight, of))
    stacked = torch.stack(signals)  # (B, N, T, K)
    return stacked.reshape(*stacked.shape[:3], *grid.shape)
