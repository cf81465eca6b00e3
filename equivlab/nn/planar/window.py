"""The window of a planar layer: a square of pixels, or a hexagon of cells.

On hexagons a window of `kernel_size` 3, 5 or 7 has 7, 19 or 37 cells. The law is exact, to
rounding, if and only if a window looks at the cell in the middle; radius ``R`` then becomes
``(R + padding − dilation·(kernel_size − 1)/2) / stride``, a whole number. All else is refused.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.nn.window import Sides, Window

__all__ = ["PlanarWindow", "only_zeros"]


class PlanarWindow(Window):
    """What a layer with a window knows about its geometry, on either lattice; a mix-in."""

    in_field: ScalarMaps | RegularMaps

    def set_window(
        self,
        kernel_size: Sides,
        stride: Sides,
        padding: Sides | Literal["same", "valid"],
        dilation: Sides,
        padding_mode: str,
    ) -> None:
        """Take the arguments of a convolution; `ValueError` unless they make a window."""
        super().set_window(kernel_size, stride, padding, dilation, padding_mode)
        if not self.in_field.on_hexagons:
            return
        only_zeros(padding_mode, self.label)
        if self.kernel_size % 2 == 0:
            k = self.kernel_size
            raise ValueError(
                f"{self.label}: a window on hexagons has a cell in the middle, so kernel_size is "
                f"odd: 3, 5, 7 are 7, 19, 37 cells; got {k}. Use kernel_size={k + 1}"
                + (", stride=2, padding=1" if self.pools and k == 2 else "")
            )

    def is_exact(self, size: int) -> bool:
        """Is the law exact, to rounding, for inputs with `size` pixels along each axis?"""
        if not self.in_field.on_hexagons:
            return super().is_exact(size)
        return size % 2 == 1 and self._missed(size // 2) == 0

    def check_size(self, x: Tensor) -> Tensor:
        """Return `x` if a window fits into it, on hexagons also onto its middle; else raise."""
        x = super().check_size(x)
        missed = self._missed(x.shape[-1] // 2) if self.in_field.on_hexagons else 0
        if missed:
            radius = x.shape[-1] // 2
            near = [n for n in (radius - missed, radius - missed + self.stride) if n >= 0]
            raise ValueError(
                f"{self.label}: steps of {self.stride} over a hexagon of radius {radius} "
                f"(kernel_size={self.kernel_size}, padding={self.padding}) miss the cell in the "
                f"middle. Use a radius of {' or '.join(map(str, near))}."
            )
        return x

    def _missed(self, radius: int) -> int:
        """How many cells lie between the middle and the step before it."""
        return (radius + self.margins[0] - self.reach // 2) % self.stride


def only_zeros(padding_mode: str, label: str) -> None:
    """Refuse what a hexagon cannot be padded with, by `ValueError`."""
    if padding_mode != "zeros":
        raise ValueError(
            f"{label}: beyond a hexagon there are zeros, for the other paddings are those of "
            f"squares; got padding_mode={padding_mode!r}. Use padding_mode='zeros'"
        )
