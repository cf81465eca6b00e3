"""Steerable convolution on pixels: representations of all turns in, representations out.

The planar twin of `SteerableConv3d`. Its kernel is an ordinary one for
`torch.nn.functional.conv2d`, made of the learned numbers by `CircleKernels`. The law is exact at
quarter turns (and in mirrors), wherever the last window ends where the padded input ends (see
`equivlab.nn.planar.conv`); at any other angle as far as pixels resolve a `RingBasis`.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.fields import CircleIrreps, CircleMaps
from equivlab.groups import SO2, CircleGroup
from equivlab.nn.base import FieldModule, check_home, integer
from equivlab.nn.exact_tables import ExactTables
from equivlab.nn.planar.filterbank import Memo
from equivlab.nn.planar.steerable.kernel import CircleKernels
from equivlab.nn.planar.steerable.rings import RingBasis
from equivlab.nn.window import Sides, Window

__all__ = ["SteerableConv2d"]


class SteerableConv2d(Window, ExactTables, FieldModule):
    """Convolve representations of SO(2) or O(2) with kernels that turn with them.

    ``out(x) = bias + Σ_y K(y − x) f(y)`` with ``K(g·p) = D_out(g) K(p) D_in(g)ᵀ``, which obeys
    ``layer(act(g, f)) == act(g, layer(f))`` (Weiler & Cesa, NeurIPS 2019, section 2.4): exactly at
    quarter turns, and in between to about 2 % on pictures with details of a pixel's size, 0.3 % on
    smooth ones.

    Args:
        irreps_in: what the input channels are, such as ``"3x0"`` for a color image.
        irreps_out: what the output channels are, such as ``"4x0 + 4x1 + 2x2"``.
        kernel_size: side ``k`` of the square kernels, in pixels.
        stride: step in pixels.
        padding: rows and columns added on every side, or ``'same'``, ``'valid'``.
        dilation: distance in pixels between the taps.
        group: `SO2` or `O2`, whose numbers have a parity: ``"4x0e + 1x0o + 4x1"``.
        bias: add a learned number to each scalar, ``0`` or ``0e``; nothing else may have one.
        padding_mode: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``.
        max_frequency: the highest frequency of the kernels; None for all that they hold.
        device: where the weights live.
        dtype: their type.

    Shape:
        ``(B, C_in, H, W)`` to ``(B, C_out, H', W')``, sizes as in `torch.nn.Conv2d`.

    Raises:
        ValueError: irreps that no kernel leads to, or a shape, dtype or device that does not fit;
            the message says what would.

    >>> layer = SteerableConv2d("3x0", "4x0 + 4x1 + 2x2", kernel_size=5, padding="same")
    >>> layer(torch.randn(2, 3, 16, 16)).shape
    torch.Size([2, 16, 16, 16])
    >>> layer
    SteerableConv2d(CircleMaps(SO2, '3x0') -> CircleMaps(SO2, '4x0+4x1+2x2'), kernel_size=5,
                    padding='same')
    """

    in_field: CircleMaps
    out_field: CircleMaps
    entry_index: Tensor
    entry_signs: Tensor
    taps: Tensor

    def __init__(
        self,
        irreps_in: str | CircleIrreps,
        irreps_out: str | CircleIrreps,
        kernel_size: Sides,
        stride: Sides = 1,
        padding: Sides | Literal["same", "valid"] = 0,
        dilation: Sides = 1,
        group: CircleGroup = SO2,
        *,
        bias: bool = True,
        padding_mode: str = "zeros",
        max_frequency: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(CircleMaps(irreps_in, group), CircleMaps(irreps_out, group))
        ins, outs = self.in_field.irreps, self.out_field.irreps
        self.label = f"SteerableConv2d({ins} -> {outs})"
        if ins.group != outs.group:
            raise ValueError(
                f"{self.label}: {ins.group} acts on what goes in, {outs.group} on out."
            )
        self.set_window(kernel_size, stride, padding, dilation, padding_mode)
        if max_frequency is not None:
            max_frequency = integer(max_frequency, "max_frequency", self.label, least=0)
        self.kernels = CircleKernels(ins, outs, RingBasis(self.kernel_size, max_frequency))
        self._check_paths()
        self.weight = nn.Parameter(torch.empty(self.kernels.count, device=device, dtype=dtype))
        scalars = sum(count for count, irrep in outs if irrep == (0, 1)) if bias else 0
        self.bias: nn.Parameter | None = None
        if scalars:
            self.bias = nn.Parameter(torch.empty(scalars, device=device, dtype=dtype))
        self.make_tables(self.weight)
        self._memo: Memo[Tensor] = Memo()
        self.reset_parameters()

    def _check_paths(self) -> None:
        for (_, irrep), fan in zip(self.out_field.irreps, self.kernels.fans(), strict=True):
            if fan == 0:
                most = self.kernels.basis.max_frequency
                raise ValueError(
                    f"{self.label}: no kernel of size {self.kernel_size} leads to frequency "
                    f"{irrep.l}, so it would stay 0. Kernels hold the frequencies 0 to {most}, "
                    "and lead from m to n by n − m and n + m. Use a larger kernel_size, leave it "
                    "out, or give the input a frequency nearer to it (of O2 mind the parity)."
                )

    def tables(self) -> dict[str, Tensor]:
        """What makes the kernel of the weights."""
        index, signs = self.kernels.tables()
        taps = self.kernels.basis.taps().flatten(1)
        return {"entry_index": index, "entry_signs": signs, "taps": taps}

    def reset_parameters(self) -> None:
        """Draw the weights so that white noise of variance 1 gives features of variance 1."""
        with torch.no_grad():
            for block, fan in enumerate(self.kernels.fans()):
                self.weight[self.kernels.weights_of(block)].normal_(0, 1 / math.sqrt(fan))
            if self.bias is not None:
                self.bias.zero_()

    def check(self, x: Tensor) -> Tensor:
        """Return `x` if this layer can take it, else raise with the remedy."""
        return self.check_size(super().check(x))

    def kernel(self) -> tuple[Tensor, Tensor | None]:
        """The kernel for `F.conv2d`, ``(C_out, C_in, k, k)``, and the bias ``(C_out,)``.

        Expanded anew where a gradient is wanted; else taken from memory while the weights are
        the same, number for number.
        """
        weight = self.weight
        if (torch.is_grad_enabled() and weight.requires_grad) or torch.compiler.is_compiling():
            return self._expand(weight), self._full_bias()
        return self._memo.recall(weight, self._expand), self._full_bias()

    def _expand(self, weight: Tensor) -> Tensor:
        entries = weight.index_select(0, self.entry_index) * self.entry_signs
        kernel = entries.view(-1, len(self.taps)) @ self.taps  # (C_out·C_in, k·k)
        channels = self.out_field.channels, self.in_field.channels
        return kernel.view(*channels, self.kernel_size, self.kernel_size)

    def _full_bias(self) -> Tensor | None:
        if self.bias is None:
            return None
        parts, start = [], 0
        for count, irrep in self.out_field.irreps:
            if irrep == (0, 1):
                parts.append(self.bias[start : start + count])
                start += count
            else:
                parts.append(self.bias.new_zeros(count * irrep.dim))
        return torch.cat(parts)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve: ``(B, C_in, H, W)`` to ``(B, C_out, H', W')``."""
        x = self.check(x)
        check_home(x, self.weight, self.label)
        kernel, bias = self.kernel()
        x, padding = self.pad(x)
        return F.conv2d(x, kernel, bias, self.stride, padding, self.dilation)

    def extra_repr(self) -> str:
        """The fields and what differs from the defaults, for `print(model)`."""
        parts = [super().extra_repr(), f"kernel_size={self.kernel_size}"]
        return ", ".join(parts + self.options_text())
