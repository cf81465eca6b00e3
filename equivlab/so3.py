"""Rotations of space, SO(3): elements, products, angles, and e3nn's axes.

A rotation is a ``(3, 3)`` float64 matrix that acts on column vectors ``(x, y, z)``; a batch has
shape ``(..., 3, 3)``. Angles are z-polar ZYZ Euler angles in radians,
``R = Rz(α) Ry(β) Rz(γ)``, as in Cohen, Geiger, Köhler & Welling, *Spherical CNNs* (ICLR 2018).

>>> R = SO3.from_zyz(0.3, 1.2, -0.5)
>>> [round(float(a), 6) for a in SO3.to_zyz(R)]
[0.3, 1.2, -0.5]
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["SO3", "RotationGroup", "e3nn_matrix"]

POLE = 1e-12  # sin β below this: only α + γ (or α − γ) is determined, and γ is taken as 0


class RotationGroup:
    """The group SO(3); use the instance `SO3`."""

    name = "SO3"

    def __repr__(self) -> str:
        return self.name

    def check(self, g: Tensor) -> Tensor:
        """Return `g` as float64 if it is a rotation matrix (or a batch), else raise `ValueError`.

        Raises:
            TypeError: `g` is no tensor.
            ValueError: not ``(..., 3, 3)``, not orthogonal to 1e-4, or a reflection.
        """
        if not isinstance(g, Tensor):
            raise TypeError(
                f"An element of SO3 is a (3, 3) tensor; got {type(g).__name__}. Make one: "
                "SO3.from_zyz(alpha, beta, gamma) or SO3.random_element(generator)"
            )
        if g.shape[-2:] != (3, 3):
            raise ValueError(
                f"An element of SO3 is a matrix (..., 3, 3); got {tuple(g.shape)}. Make one from "
                "angles: SO3.from_zyz(alpha, beta, gamma)"
            )
        g = g.double()
        off = (g @ g.mT - torch.eye(3, dtype=g.dtype, device=g.device)).abs().amax()
        if not bool(off < 1e-4) or bool((torch.linalg.det(g) < 0).any()):
            raise ValueError(
                "An element of SO3 is orthogonal with determinant 1; got a matrix that is off by "
                f"{float(off):.1e}, or a reflection. Make one: SO3.from_zyz(alpha, beta, gamma)"
            )
        return g

    @property
    def identity(self) -> Tensor:
        """The rotation that changes nothing, ``(3, 3)``."""
        return torch.eye(3, dtype=torch.float64)

    def compose(self, g: Tensor, h: Tensor) -> Tensor:
        """The product ``g·h``: first `h`, then `g`."""
        return self.check(g) @ self.check(h)

    def inverse(self, g: Tensor) -> Tensor:
        """The rotation with ``g⁻¹·g = 1``."""
        return self.check(g).mT

    def from_zyz(
        self, alpha: float | Tensor, beta: float | Tensor, gamma: float | Tensor
    ) -> Tensor:
        """``Rz(α) Ry(β) Rz(γ)``, ``(..., 3, 3)``, from angles in radians, ``(...)`` each."""
        return _rz(alpha) @ _ry(beta) @ _rz(gamma)

    def to_zyz(self, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Angles ``α, β, γ`` in radians, β in [0, π]; at the poles (β = 0, π) γ is 0."""
        g = self.check(g)
        beta = torch.atan2(torch.hypot(g[..., 0, 2], g[..., 1, 2]), g[..., 2, 2])
        at_pole = torch.hypot(g[..., 0, 2], g[..., 1, 2]) < POLE
        zero = torch.zeros_like(beta)
        alpha = torch.where(
            at_pole,
            torch.atan2(g[..., 1, 0] * g[..., 2, 2].sign(), g[..., 1, 1]),
            torch.atan2(g[..., 1, 2], g[..., 0, 2]),
        )
        gamma = torch.where(at_pole, zero, torch.atan2(g[..., 2, 1], -g[..., 2, 0]))
        return alpha, beta, gamma

    def from_axis_angle(self, axis: Tensor, angle: float | Tensor) -> Tensor:
        """The turn by `angle` (radians) about `axis` ``(..., 3)``, right-handed (Rodrigues)."""
        axis = torch.as_tensor(axis, dtype=torch.float64)
        x, y, z = (axis / torch.linalg.vector_norm(axis, dim=-1, keepdim=True)).unbind(-1)
        zero = torch.zeros_like(x)
        rows = [zero, -z, y, z, zero, -x, -y, x, zero]
        K = torch.stack(rows, -1).view(*x.shape, 3, 3)
        t = torch.as_tensor(angle, dtype=torch.float64)[..., None, None]
        return self.identity + torch.sin(t) * K + (1 - torch.cos(t)) * (K @ K)

    def random_element(self, generator: torch.Generator | None = None) -> Tensor:
        """A rotation ``(3, 3)`` drawn uniformly (Haar) with `generator`."""
        return self.random_elements(1, generator)[0]

    def random_elements(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """`count` rotations ``(count, 3, 3)`` drawn uniformly, from random unit quaternions."""
        q = torch.randn(count, 4, generator=generator, dtype=torch.float64)
        w, x, y, z = (q / torch.linalg.vector_norm(q, dim=1, keepdim=True)).unbind(1)
        rows = [
            1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
            2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
            2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
        ]  # fmt: skip
        return torch.stack(rows, 1).view(count, 3, 3)

    def cube_rotations(self) -> Tensor:
        """The 24 rotations that map a cube to itself, ``(24, 3, 3)``, the identity first."""
        found = [self.identity]
        turns = [
            self.from_axis_angle(torch.eye(3, dtype=torch.float64)[k], math.pi / 2).round()
            for k in range(3)
        ]
        for g in found:  # grows while it is walked through: the closure under quarter turns
            for turn in turns:
                product = turn @ g
                if not any(torch.equal(product, other) for other in found):
                    found.append(product)
        return torch.stack(found) + 0.0


SO3 = RotationGroup()
"""All rotations of space."""


def e3nn_matrix(g: Tensor) -> Tensor:
    """The same rotation in e3nn's axes, which call our ``(y, z, x)`` by the names ``(x, y, z)``.

    e3nn is y-polar: ``o3.Irreps.D_from_matrix(e3nn_matrix(R))`` acts on real spherical
    harmonics ``m = −l…l`` of our z-polar frame. The only place where the two conventions meet;
    points change axes by ``x[..., [1, 2, 0]]``.
    """
    order = [1, 2, 0]
    return g[..., order, :][..., order]


def _angle(value: float | Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    t = torch.as_tensor(value, dtype=torch.float64)
    return torch.cos(t), torch.sin(t), torch.zeros_like(t), torch.ones_like(t)


def _rz(value: float | Tensor) -> Tensor:
    c, s, zero, one = _angle(value)
    return torch.stack([c, -s, zero, s, c, zero, zero, zero, one], -1).view(*c.shape, 3, 3)


def _ry(value: float | Tensor) -> Tensor:
    c, s, zero, one = _angle(value)
    return torch.stack([c, zero, s, zero, one, zero, -s, zero, c], -1).view(*c.shape, 3, 3)
