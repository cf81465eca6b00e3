"""The machine behind the group convolutions: checks, weights, filter bank, one `conv2d`.

Read `equivlab.nn.planar` first: it says what the layers compute and when the law is exact.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.compiler import is_compiling
from torch.nn import Parameter

from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.groups import PointGroup
from equivlab.nn.base import FieldModule, check_home, square
from equivlab.nn.filterbank import (
    FilterBankMemo,
    channels_last_index,
    expand_filters,
    orbit_index,
)
from equivlab.nn.window import PADDING_MODES, Window

__all__ = ["PlanarConv"]

Pair = int | tuple[int, int]


class PlanarConv(Window, FieldModule):
    """What the two convolutions of `equivlab.nn.planar` share: all but the field they take."""

    takes: ClassVar[type[ScalarMaps] | type[RegularMaps]]
    in_field: ScalarMaps | RegularMaps
    out_field: RegularMaps

    def __init__(
        self,
        group: PointGroup,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair | Literal["same", "valid"] = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(self.takes(group, in_channels), RegularMaps(group, out_channels))
        label = self.label
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = square(kernel_size, "kernel_size", label)
        self.stride = square(stride, "stride", label)
        self.dilation = square(dilation, "dilation", label)
        self.padding = padding if isinstance(padding, str) else square(padding, "padding", label)
        self.groups = groups
        self.padding_mode = padding_mode
        self._check_arguments()

        depth = group.order if self.takes is RegularMaps else 1
        shape = (out_channels, in_channels // groups * depth, *2 * (self.kernel_size,))
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias: nn.Parameter | None
        if bias:
            self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.filter_index: Tensor
        self.filter_index_last: Tensor
        self.bias_index: Tensor
        self._make_indices()
        self._memo = FilterBankMemo()
        self._least = self.smallest_side
        self._order = group.order
        self._axes = 5 if self.takes is RegularMaps else 4
        self.reset_parameters()

    def _check_arguments(self) -> None:
        label, groups = self.label, self.groups
        for name in ("in_channels", "out_channels", "groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"{label}: {name} must be 1 or more; got {getattr(self, name)}.")
        if self.in_channels % groups or self.out_channels % groups:
            raise ValueError(
                f"{label}: groups={groups} must divide in_channels={self.in_channels} and "
                f"out_channels={self.out_channels}."
            )
        self.check_window("GroupDownsample2d")

    def _make_indices(self) -> None:
        one_filter = self.takes(self.in_field.group, self.in_channels // self.groups)
        index = orbit_index(one_filter, self.kernel_size)
        last = channels_last_index(index, self.weight.shape[1], self.kernel_size)
        order = one_filter.group.order
        self.register_buffer("filter_index", index.to(self.weight.device), persistent=False)
        self.register_buffer("filter_index_last", last.to(self.weight.device), persistent=False)
        outputs = torch.arange(self.out_channels, device=index.device)
        repeated = outputs.repeat_interleave(order).to(self.weight.device)
        self.register_buffer("bias_index", repeated, persistent=False)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._make_indices()  # module.to_empty() leaves every buffer without content
        self._memo = FilterBankMemo()  # the memory format may be another one now
        return self

    def reset_parameters(self) -> None:
        """Draw the weights as `torch.nn.Conv2d` does, from a fan-in of ``I·A·k·k``."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            nn.init.uniform_(self.bias, -bound, bound)

    def filter_bank(self) -> tuple[Tensor, Tensor | None]:
        """All filters in all orientations ``(O·G, I·A, k, k)``, and the bias of each ``(O·G,)``.

        Expanded anew where a gradient is wanted; else taken from memory while the weights are
        the same, number for number.
        """
        # By dictionary: nn.Module takes 1 to 2 µs to look up a name, of the 50 µs that the
        # convolution of a small image takes.
        index: dict[str, Any] = self._buffers
        parameters: dict[str, Any] = self._parameters
        try:
            weight, bias = parameters["weight"], parameters["bias"]
        except KeyError:  # parametrized, for example by a weight norm
            weight, bias = self.weight, self.bias
        learning = torch.is_grad_enabled() and (
            weight.requires_grad or (bias is not None and bias.requires_grad)
        )
        if learning or type(weight) is not Parameter or is_compiling():
            return expand_filters(weight, bias, index)
        return self._memo.recall(weight, bias, expand_filters, index)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve: ``(B, I, [G,] H, W)`` to ``(B, O, G, H', W')``."""
        shape = x.shape if isinstance(x, Tensor) else ()
        if (
            len(shape) != self._axes
            or shape[0] == 0
            or shape[1] != self.in_channels
            or (self._axes == 5 and shape[2] != self._order)
            or shape[-2] < self._least
            or shape[-1] < self._least
        ):
            self._refuse(x)
        bank, bias = self.filter_bank()
        if x.dtype is not bank.dtype or not (x.is_cpu and bank.is_cpu):
            check_home(self.check(x), bank, self.label)
        if self._axes == 5:
            x = x.flatten(1, 2)  # (B, I·G, H, W)
        padding: int | str = self.padding
        if self.padding_mode != "zeros":
            x = F.pad(x, 2 * self.margins, PADDING_MODES[self.padding_mode])
            padding = 0
        y = F.conv2d(x, bank, bias, self.stride, padding, self.dilation, self.groups)
        batch, _, height, width = y.shape
        return y.view(batch, self.out_channels, self._order, height, width)

    def _refuse(self, x: Tensor) -> NoReturn:
        self.check(x)
        reach = self.dilation * (self.kernel_size - 1) + 1
        raise ValueError(
            f"{self.label} looks at windows of {reach} pixels (kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}) and pads {sum(self.margins)} rows with "
            f"{self.padding_mode!r}, so it takes maps of {self._least} rows and columns or more; "
            f"got {tuple(x.shape[-2:])}. Use padding={reach // 2} with 'zeros', a smaller "
            "kernel_size, or larger maps."
        )

    def extra_repr(self) -> str:
        """The fields and what differs from the defaults, for `print(model)`."""
        parts = [super().extra_repr(), f"kernel_size={self.kernel_size}"]
        parts += self.options_text(groups=1)
        return ", ".join(parts + (["bias=False"] if self.bias is None else []))
