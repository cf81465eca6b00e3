"""Non-linearities on SO(3), and how to keep them from breaking the law.

A pointwise function commutes with rotations of *functions*. Of *samples* it does so only as
far as the grid can hold the result: a square doubles the highest frequency, a ReLU makes
frequencies without end, and what lies above the bandwidth folds back as an error that
depends on the pose. The cure is to evaluate the function on a finer grid and keep only the
wanted degrees. How much finer depends on the corner: a ReLU leaves 1e-2 at twice the bandwidth,
`torch.nn.functional.silu`, a ReLU with its corner rounded, 1e-3 (on white features of unit
variance; `benchmarks/sphere.py` has the whole table).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from equivlab.fields.sphere import RotationMaps
from equivlab.nn.base import FieldModule, integer
from equivlab.sphere.so3_transform import so3_fft, so3_ifft

__all__ = ["SO3Activation"]


class SO3Activation(FieldModule):
    """A pointwise function, evaluated on a finer grid and then low-passed.

    ``out = P_b(activation(f))`` with ``P_b`` the projection on the degrees below ``b``, which
    obeys ``layer(act(R, f)) == act(R, layer(f))`` as far as the finer grid resolves
    ``activation(f)``: exactly for a square from 1.5 times oversampling on and for a cube from 2
    (a grid of bandwidth ``b'`` integrates exactly what has degrees below ``2b'``: those of the
    function and those of the projection together).

    Args:
        channels: signals ``C``.
        bandwidth: ``b`` of the grid, in and out.
        activation: any pointwise function of a tensor, or a module.
        oversampling: bandwidth of the finer grid over ``b``. 1 applies the function to the
            samples as they are, without projection, as Cohen et al. (ICLR 2018) do.

    Shape:
        ``(B, C, 2b, 2b, 2b)`` to the same.

    Raises:
        ValueError: `oversampling` below 1, or a tensor of another kind.
    """

    in_field: RotationMaps
    out_field: RotationMaps

    def __init__(
        self,
        channels: int,
        bandwidth: int,
        activation: Callable[[Tensor], Tensor] = torch.relu,
        oversampling: float = 2.0,
    ) -> None:
        if not oversampling >= 1:
            raise ValueError(
                f"SO3Activation: oversampling is 1 or more; got {oversampling}. 2 is a good choice "
                "for ReLU, 1.5 is exact for a square."
            )
        field = RotationMaps(
            integer(channels, "channels", "SO3Activation"),
            integer(bandwidth, "bandwidth", "SO3Activation"),
        )
        super().__init__(field, field)
        self.activation = activation
        self.oversampling = oversampling

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, 2b, 2b, 2b)`` to the same."""
        self.check(x)
        if self.oversampling == 1:
            return self.activation(x)
        b = self.in_field.bandwidth
        fine = so3_ifft(so3_fft(x), math.ceil(self.oversampling * b))
        return so3_ifft(so3_fft(self.activation(fine), lmax=b - 1)).to(x.dtype)

    def extra_repr(self) -> str:
        """The field, the function and the finer grid, for `print(model)`."""
        name = getattr(self.activation, "__name__", repr(self.activation))
        return f"{self.in_field}, {name}, oversampling={self.oversampling}"
