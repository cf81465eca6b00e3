"""The transposed group convolution, which makes maps larger."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.fields import RegularMaps
from equivlab.groups import PointGroup
from equivlab.nn.base import check_home
from equivlab.nn.planar.conv import PlanarConv
from equivlab.nn.window import Sides, one_side

__all__ = ["GroupConvTranspose2d"]


class GroupConvTranspose2d(PlanarConv):
    """Lay every filter, in all its orientations, down at each pixel, `stride` pixels apart.

    ``out[o, g, x] = bias[o] + Σ_i Σ_h Σ_y f[i, h, y] · ψ[o, i](g⁻¹h, g⁻¹(x − stride·y))``, which
    obeys ``layer(act(g, f)) == act(g, layer(f))`` exactly, on every size: both ends of the result
    are as far from the outermost pixels. (So there is no ``output_padding``, which adds to one
    end; for the double size take an even kernel, as ``kernel_size=4, stride=2, padding=1``.) It
    is the adjoint of a group convolution (Cohen & Welling, ICML 2016, equation 11).

    Args:
        group: `P4` or `P4M`.
        in_channels: regular fields ``I`` of the input.
        out_channels: regular fields ``O`` of the output.
        kernel_size: side of the square filters, in pixels.
        stride: pixels between two inputs.
        padding: rows cut from every side of the result.
        dilation: distance in pixels between the filter's taps.
        groups: blocks of fields that do not mix.
        bias: add one learned number to each field.
        device: where the weights live.
        dtype: their type.

    Shape:
        ``(B, I, G, H, W)`` to ``(B, O, G, H', W')``, with
        ``H' = (H − 1)·stride − 2·padding + dilation·(kernel_size − 1) + 1``.

    Raises:
        ValueError: a shape, dtype or device that does not fit; the message says what would.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> double = GroupConvTranspose2d(P4, 8, 4, kernel_size=2, stride=2)
    >>> double(torch.randn(1, 8, 4, 7, 7)).shape
    torch.Size([1, 4, 4, 14, 14])
    """

    takes = RegularMaps

    def __init__(
        self,
        group: PointGroup,
        in_channels: int,
        out_channels: int,
        kernel_size: Sides,
        stride: Sides = 1,
        padding: Sides = 0,
        dilation: Sides = 1,
        groups: int = 1,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            group, in_channels, out_channels, kernel_size, stride, 0, dilation, groups,
            bias=bias, device=device, dtype=dtype,
        )  # fmt: skip
        self.cut = one_side(padding, 2, "padding", self.label, least=0)

    def is_exact(self, size: int) -> bool:
        """True: both ends of the result are the same."""
        return True

    def check_size(self, x: Tensor) -> Tensor:
        """Return `x` if something is left of it, else raise `ValueError`."""
        least = (min(x.shape[-2:]) - 1) * self.stride + self.reach - 2 * self.cut
        if least >= 1:
            return x
        raise ValueError(
            f"{self.label} cuts padding={self.cut} from every side, which leaves nothing of maps "
            f"{tuple(x.shape[-2:])}. Use a smaller padding, or larger maps."
        )

    def adjoint_bank(self) -> tuple[Tensor, Tensor | None]:
        """The filters as `torch.nn.functional.conv_transpose2d` wants them, and the biases."""
        bank, shifts = self.filter_bank()  # (O·G, I/groups·G, k, k)
        blocks = bank.unflatten(0, (self.groups, -1)).transpose(1, 2)
        return blocks.flatten(0, 1), shifts  # (I·G, O/groups·G, k, k)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve: ``(B, I, G, H, W)`` to ``(B, O, G, H', W')``."""
        x = self.check(x)
        bank, shifts = self.adjoint_bank()
        check_home(x, bank, self.label)
        y = F.conv_transpose2d(
            x.flatten(1, 2), bank, shifts, self.stride, self.cut, 0, self.groups, self.dilation
        )
        return y.view(y.shape[0], self.out_channels, -1, *y.shape[2:])

    def route(self, x: Tensor) -> str:
        """Which way `forward` takes; there is one."""
        return "conv2d: transposed"

    def extra_repr(self) -> str:
        """The fields and what differs from the defaults, for `print(model)`."""
        return super().extra_repr() + (f", padding={self.cut}" if self.cut else "")
