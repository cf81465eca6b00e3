"""Group convolutions on the plane: lifting (images to a point group) and group to group.

Both are ordinary convolutions with a bank of filters: each learned filter in all its
orientations. With `P4` and `P4M` a filter has a number for each pixel, and its orientations are the
same numbers elsewhere. With `Cyclic(n)` and `Dihedral(n)` it has a number for each circular
harmonic on each of a few rings, which turns by any angle: the law is exact at quarter turns, and in
between pixels cost about 2 % of what a layer gives on a picture with details of a pixel's size,
0.3 % on a smooth one (``docs/notes/steerable.md``).

Where is the law exact? On the grid that the layer steps over, a turn about the centre of the
input must be a turn about the centre of the output. So it is exact, to rounding, if and only if
the last window ends where the padded input ends::

    (H + 2·padding − dilation·(kernel_size − 1) − 1) % stride == 0

and likewise in `W`. That always holds for stride 1. Stride 2 on the wrong parity loses it
altogether: relative errors of 0.5 to 0.9. `is_exact` tells, `equivlab.audit` measures, and
`GroupDownsample2d` halves *every* size exactly.

With `P6` and `P6M` the maps are hexagons and so are the filters, of 7, 19 and 37 cells
(Hoogeboom et al., *HexaConv*, ICLR 2018). In axial coordinates that is an ordinary convolution with
zeros at the places that are no cells. Input and output are masked (`PlanarField.mask`): nothing
outside a hexagon is looked at, and zeros stand there afterwards, whatever the bias. A stride that
misses the cell in the middle is refused.

To rounding means to that of the convolution: on a GPU cuDNN takes ten bits of each float32
number (TF32) unless ``torch.backends.cudnn.allow_tf32 = False``.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.fields import RegularMaps, ScalarMaps, scalar_maps
from equivlab.groups import PointGroup
from equivlab.nn.base import FieldModule, check_home, integer
from equivlab.nn.exact_tables import ExactTables
from equivlab.nn.planar.cell_filters import CellOrbit
from equivlab.nn.planar.compiled.route import convolve, obstacle
from equivlab.nn.planar.filterbank import Memo, PixelOrbit
from equivlab.nn.planar.steerable.bank import SteerableOrbit
from equivlab.nn.planar.steerable.rings import RingBasis
from equivlab.nn.planar.window import PlanarWindow
from equivlab.nn.window import Sides

__all__ = ["GroupConv2d", "LiftingConv2d", "PlanarConv"]


class PlanarConv(PlanarWindow, ExactTables, FieldModule):
    """What `LiftingConv2d` and `GroupConv2d` share: all but the field they take."""

    takes: ClassVar[type[ScalarMaps] | type[RegularMaps]]
    in_field: ScalarMaps | RegularMaps
    out_field: RegularMaps
    bias_index: Tensor
    filter_index: Tensor
    filter_basis: Tensor
    rectified: bool = False  # a ReLU belongs to it; see `equivlab.nn.fuse`

    def __init__(
        self,
        group: PointGroup,
        in_channels: int,
        out_channels: int,
        kernel_size: Sides,
        stride: Sides = 1,
        padding: Sides | Literal["same", "valid"] = 0,
        dilation: Sides = 1,
        groups: int = 1,
        *,
        bias: bool = True,
        padding_mode: str = "zeros",
        max_frequency: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        name = type(self).__name__
        ins = integer(in_channels, "in_channels", name)
        outs = integer(out_channels, "out_channels", name)
        super().__init__(self.field_of(group, ins), RegularMaps(group, outs))
        self.in_channels, self.out_channels = ins, outs
        self.groups = integer(groups, "groups", name)
        if ins % self.groups or outs % self.groups:
            raise ValueError(
                f"{self.label}: groups={groups} must divide in_channels={in_channels} and "
                f"out_channels={out_channels}."
            )
        self.set_window(kernel_size, stride, padding, dilation, padding_mode)

        self.filters = self._filters(max_frequency)
        shape = (outs, *self.filters.shape)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias: nn.Parameter | None = None
        if bias:
            self.bias = nn.Parameter(torch.empty(outs, device=device, dtype=dtype))
        self.make_tables(self.weight)
        self.reset_parameters()

    def field_of(self, group: PointGroup, channels: int) -> ScalarMaps | RegularMaps:
        """What such a layer takes: of scalar maps those on the lattice of the group."""
        kind = scalar_maps if self.takes is ScalarMaps else RegularMaps
        return kind(group, channels)

    def _filters(self, max_frequency: int | None) -> PixelOrbit | CellOrbit | SteerableOrbit:
        """What a filter's numbers are, and how they make its orientations."""
        group = self.in_field.group
        seen = self.field_of(group, self.in_channels // self.groups)
        if group.lattice is None:
            most = max_frequency
            if most is not None:
                most = integer(most, "max_frequency", self.label, least=0)
            return SteerableOrbit(seen, RingBasis(self.kernel_size, most))
        if max_frequency is not None:
            raise ValueError(
                f"{self.label}: filters of {group} have a number for each pixel, and no "
                f"frequencies; got max_frequency={max_frequency}. Leave it out, or turn harmonics: "
                f"{'Dihedral' if group.has_mirror else 'Cyclic'}({group.turns})"
            )
        return (PixelOrbit if group.lattice == "square" else CellOrbit)(seen, self.kernel_size)

    def tables(self) -> dict[str, Tensor]:
        """What makes the orientations of the filters and of the biases."""
        fields = torch.arange(self.out_channels).repeat_interleave(self.out_field.group.order)
        return {**self.filters.tables(), "bias_index": fields}

    def make_tables(self, home: Tensor) -> None:
        super().make_tables(home)
        self._memo: Memo[Tensor] = Memo()  # the memory format may be another one now
        self.matrices: Memo[Tensor] = Memo()

    def reset_parameters(self) -> None:
        """Draw the weights as `torch.nn.Conv2d` does, from a fan-in of the numbers of a filter.

        White noise comes out with a third of its variance, as there.
        """
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            nn.init.uniform_(self.bias, -bound, bound)

    def check(self, x: Tensor) -> Tensor:
        """Return `x` if this layer can take it, else raise with the remedy."""
        return self.check_size(super().check(x))

    def filter_bank(self) -> tuple[Tensor, Tensor | None]:
        """All filters in all orientations ``(O·G, I·A, k, k)``, and the bias of each ``(O·G,)``.

        ``A`` is the number of maps in a channel of the input: 1 of an image, else ``G``.

        Expanded anew where a gradient is wanted; else taken from memory while the weights are
        the same, number for number.
        """
        return self._bank(self.weight, self.bias)

    def _bank(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        learning = torch.is_grad_enabled() and weight.requires_grad
        if learning or type(weight) is not nn.Parameter or torch.compiler.is_compiling():
            bank = self._expand(weight)
        else:
            bank = self._memo.recall(weight, self._expand)
        return bank, None if bias is None else bias.index_select(0, self.bias_index)

    def _expand(self, weight: Tensor) -> Tensor:
        tables = [getattr(self, name) for name in self.filters.names]
        return self.filters.expand(weight, *tables)

    def filters_of(self, weight: Tensor, count: int, order: Tensor) -> Tensor:
        """Numbers for each pixel of the first `count` orientations of each filter.

        Those of filters that have no others as they are, else with their maps in this order.
        """
        if not isinstance(self.filters, SteerableOrbit):
            return weight
        return self.filters.expand_first(weight, self.filter_index, self.filter_basis, count, order)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve: ``(B, I, [G,] H, W)`` to ``(B, O, G, H', W')``."""
        x = self.check(x)
        weight, bias = self.weight, self.bias  # once: a parametrized weight is computed here
        fast = convolve(self, x, weight, bias)
        if fast is not None:
            return fast
        bank, shifts = self._bank(weight, bias)
        check_home(x, bank, self.label)
        x, padding = self.pad(self.in_field.mask(x).flatten(1, -3))  # (B, I·A, H, W)
        y = F.conv2d(x, bank, shifts, self.stride, padding, self.dilation, self.groups)
        y = F.relu(y) if self.rectified else y
        return self.out_field.mask(y.view(y.shape[0], self.out_channels, -1, *y.shape[2:]))

    def route(self, x: Tensor) -> str:
        """Which way `forward` takes with `x`: ``'kernel'``, or ``'conv2d: '`` and why.

        The compiled kernel multiplies in the basis of irreducible representations. Both ways give
        the same numbers, to rounding.
        """
        found = obstacle(self, self.check(x), self.weight, self.bias)
        return "kernel" if found is None else f"conv2d: {found}"

    def extra_repr(self) -> str:
        """The fields and what differs from the defaults, for `print(model)`."""
        parts = [super().extra_repr(), f"kernel_size={self.kernel_size}"]
        parts += self.options_text(groups=1, rectified=False)
        return ", ".join(parts + (["bias=False"] if self.bias is None else []))


class LiftingConv2d(PlanarConv):
    """Convolve an image with every filter in all its orientations.

    ``out[o, g, x] = bias[o] + Σ_i Σ_y f[i, y] · ψ[o, i](g⁻¹(y − x))``, which obeys
    ``layer(act(g, f)) == act(g, layer(f))`` from scalar to regular maps (Cohen & Welling,
    ICML 2016, equation 10).

    Args:
        group: `P4` or `P4M`; `P6` or `P6M` on hexagons; `Cyclic(n)` or `Dihedral(n)`.
        in_channels: channels ``I`` of the image.
        out_channels: regular fields ``O`` of the output; each has ``|G|`` maps.
        kernel_size: side ``k`` of the square filters, in pixels; on hexagons 3, 5 and 7 are 7, 19
            and 37 cells.
        stride: step in pixels; `equivlab.nn.planar.conv` says when it is exact.
        padding: rows and columns added on every side, or ``'same'``, ``'valid'``. With an even
            kernel ``'same'`` pads one side more, which no turn respects: not exact.
        dilation: distance in pixels between the filter's taps; exact with stride 1.
        groups: blocks of channels that do not mix, as in `torch.nn.Conv2d`.
        bias: add one learned number to each field, shared by its orientations.
        padding_mode: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``; all exact. On
            hexagons zeros only.
        max_frequency: the highest frequency of the harmonics that filters of `Cyclic(n)` and
            `Dihedral(n)` are made of; None for all that the kernel holds.
        device: where the weights live.
        dtype: their type.

    Shape:
        ``(B, I, H, W)`` to ``(B, O, G, H', W')``, with ``H'`` as in `torch.nn.Conv2d`.

    Raises:
        ValueError: a shape, dtype or device that does not fit; the message says what would.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> lift = LiftingConv2d(P4, 3, 8, kernel_size=5, padding=2)
    >>> lift(torch.randn(2, 3, 28, 28)).shape
    torch.Size([2, 8, 4, 28, 28])
    >>> lift
    LiftingConv2d(ScalarMaps(P4, 3) -> RegularMaps(P4, 8), kernel_size=5, padding=2)
    """

    takes = ScalarMaps


class GroupConv2d(PlanarConv):
    """Convolve a function on the group with every filter in all its orientations.

    ``out[o, g, x] = bias[o] + Σ_i Σ_h Σ_y f[i, h, y] · ψ[o, i](g⁻¹h, g⁻¹(y − x))``, which obeys
    ``layer(act(g, f)) == act(g, layer(f))`` on regular maps (Cohen & Welling, ICML 2016,
    equation 11). The full weight space: ``|G|·k·k`` numbers for each pair of fields.

    Args:
        group: `P4` or `P4M`; `P6` or `P6M` on hexagons; `Cyclic(n)` or `Dihedral(n)`.
        in_channels: regular fields ``I`` of the input.
        out_channels: regular fields ``O`` of the output.
        kernel_size: side ``k`` of the square filters, in pixels.
        stride: as in `LiftingConv2d`, like all that follow.
        padding: a number, ``'same'`` or ``'valid'``.
        dilation: distance in pixels between the filter's taps.
        groups: blocks of fields that do not mix.
        bias: add one learned number to each field.
        padding_mode: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``.
        max_frequency: as in `LiftingConv2d`.
        device: where the weights live.
        dtype: their type.

    Shape:
        ``(B, I, G, H, W)`` to ``(B, O, G, H', W')``, with ``H'`` as in `torch.nn.Conv2d`.

    Raises:
        ValueError: a shape, dtype or device that does not fit; the message says what would.

    >>> import torch
    >>> from equivlab.groups import P4M
    >>> GroupConv2d(P4M, 8, 16, kernel_size=3)(torch.randn(2, 8, 8, 9, 9)).shape
    torch.Size([2, 16, 8, 7, 7])
    """

    takes = RegularMaps
