"""The window of a layer on a grid: where it steps, what it pads, and whether that keeps the law.

Convolutions and pooling, on pixels and on voxels, are the same here. A window is as long on all
axes, and the law is exact if and only if the last window ends where the padded input ends::

    (size + 2·padding − dilation·(kernel_size − 1) − 1) % stride == 0
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.nn.base import integer

__all__ = ["PADDING_MODES", "Sides", "Window", "one_side", "padded"]

PADDING_MODES = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
}

Sides = int | tuple[int, ...]
"""One number for all axes, or one for each, all equal."""


def padded(x: Tensor, sides: tuple[int, ...], padding_mode: str, value: float = 0.0) -> Tensor:
    """`x` with a frame around its last axes.

    Under `torch.compile` an index repeats the edges: where the compiler lays maps channels last it
    gets the strides of the gradient of ``F.pad(mode="replicate")`` wrong, and training stops
    (torch 2.13; PyTorch's pull request 179837 mends the way there).

    Args:
        x: ``(B, C, ...)``.
        sides: as `torch.nn.functional.pad` takes them, the last axis first; below 0 they cut.
        padding_mode: a name in `PADDING_MODES`.
        value: what ``'zeros'`` is filled with.
    """
    if padding_mode == "zeros":
        return F.pad(x, sides, value=value)
    dynamo = torch.compiler.is_dynamo_compiling() and not torch.compiler.is_exporting()
    if padding_mode != "replicate" or not dynamo:
        return F.pad(x, sides, PADDING_MODES[padding_mode])
    for axis, before, after in zip(range(-1, -x.ndim, -1), sides[::2], sides[1::2], strict=False):
        size = x.shape[axis]
        places = torch.arange(-before, size + after, device=x.device).clamp(0, size - 1)
        x = x.index_select(axis, places)
    return x


def one_side(value: Sides, axes: int, name: str, label: str, least: int = 1) -> int:
    """One number for all axes, from a number or from as many equal ones as there are axes.

    Args:
        value: what was given.
        axes: 2 for pixels, 3 for voxels.
        name: of the argument, for the message.
        label: of the layer, for the message.
        least: the smallest number allowed.

    Raises:
        TypeError: no whole numbers.
        ValueError: they differ, so that a turn would not map the layer to itself, or are too small.
    """
    sides = tuple(value) if isinstance(value, tuple | list) else axes * (value,)
    if len(sides) != axes or len(set(sides)) != 1:
        turns, wanted = (
            ("turns its filters", "an equal pair")
            if axes == 2
            else ("turns with the cube", "three equal ones")
        )
        use = f" Use {name}={sides[0]}" if sides else ""
        raise ValueError(
            f"{label} {turns}, so {name} must be one number or {wanted}; got {value!r}.{use}"
        )
    return integer(sides[0], name, label, least)


class Window:
    """What a layer with a square (or cubic) window knows about its geometry; a mix-in.

    Attributes:
        reach: how many pixels of an axis a window spans.
        margins: what is padded before the first and after the last pixel of each axis.
        smallest_side: the least size of an axis that the window and the padding can take.
    """

    axes: ClassVar[int] = 2  # that the window has: the last ones of the input

    label: str
    kernel_size: int
    stride: int
    padding: int | Literal["same", "valid"]
    dilation: int
    padding_mode: str
    pools: bool = False
    reach: int
    margins: tuple[int, int]
    smallest_side: int

    def set_window(
        self,
        kernel_size: Sides,
        stride: Sides,
        padding: Sides | Literal["same", "valid"],
        dilation: Sides,
        padding_mode: str,
    ) -> None:
        """Take the arguments of a convolution; `ValueError` unless they make a window."""
        label = self.label
        self.kernel_size = one_side(kernel_size, self.axes, "kernel_size", label)
        self.stride = one_side(stride, self.axes, "stride", label)
        self.dilation = one_side(dilation, self.axes, "dilation", label)
        if padding_mode not in PADDING_MODES:
            modes = ", ".join(map(repr, PADDING_MODES))
            raise ValueError(f"{label}: padding_mode is one of {modes}; got {padding_mode!r}.")
        self.padding_mode = padding_mode
        if not isinstance(padding, str):
            self.padding = one_side(padding, self.axes, "padding", label, least=0)
        elif padding not in ("same", "valid"):
            raise ValueError(f"{label}: padding is a number, 'same' or 'valid'; got {padding!r}.")
        elif padding == "same" and self.stride != 1:
            downsample = "GroupDownsample2d" if self.axes == 2 else "IrrepDownsample3d"
            raise ValueError(
                f"{label}: padding='same' needs stride 1; got stride={self.stride}. "
                f"Give the padding as a number, or use {downsample} for the stride."
            )
        else:
            self.padding = padding
        self._measure()

    def set_pool(
        self, kernel_size: Sides, stride: Sides | None, padding: Sides, dilation: Sides = 1
    ) -> None:
        """Take the arguments of a pooling, whose steps are as long as its window by default."""
        self.pools = True
        step = kernel_size if stride is None else stride
        margin = one_side(padding, self.axes, "padding", self.label, least=0)
        self.set_window(kernel_size, step, margin, dilation, "zeros")
        if margin > self.kernel_size / 2:
            raise ValueError(
                f"{self.label} takes padding up to half the kernel_size of {self.kernel_size}; "
                f"got {margin}. Use padding={self.kernel_size // 2}"
            )

    def _measure(self) -> None:
        self.reach = self.dilation * (self.kernel_size - 1) + 1
        total = self.reach - 1 if self.padding == "same" else 0
        before, after = total // 2, total - total // 2
        if isinstance(self.padding, int):
            before = after = self.padding
        self.margins = before, after
        side = self.reach - before - after
        room = {"reflect": after + 1, "circular": after}.get(self.padding_mode, 1)
        self.smallest_side = max(side, room)

    def is_exact(self, size: int) -> bool:
        """Is the law exact, to rounding, for inputs with `size` samples along each axis?"""
        before, after = self.margins
        return before == after and (size + before + after - self.reach) % self.stride == 0

    def check_size(self, x: Tensor) -> Tensor:
        """Return `x` if a window fits into each of its axes, else raise `ValueError`."""
        if min(x.shape[-self.axes :]) >= self.smallest_side:
            return x
        unit, whole = ("pixels", "maps") if self.axes == 2 else ("voxels", "grids")
        pad = "" if self.pools else f"padding={self.reach // 2} with 'zeros', "
        raise ValueError(
            f"{self.label} looks at windows of {self.reach} {unit} a side "
            f"(kernel_size={self.kernel_size}, dilation={self.dilation}) and pads "
            f"{sum(self.margins)} with {self.padding_mode!r}, so it takes {whole} of "
            f"{self.smallest_side} {unit} a side or more; got {tuple(x.shape[-self.axes :])}. "
            f"Use {pad}a smaller kernel_size, or larger {whole}."
        )

    def pad(self, x: Tensor) -> tuple[Tensor, int | str]:
        """`x` padded as `padding_mode` says, and what is left to do for torch's convolution."""
        if self.padding_mode == "zeros":
            return x, self.padding
        return padded(x, self.axes * self.margins, self.padding_mode), 0

    def options_text(self, **more: object) -> list[str]:
        """What differs from the defaults, of the window and of `more`, for `print(model)`."""
        usual = {"stride": 1, "padding": 0, "dilation": 1, **more, "padding_mode": "zeros"}
        return [
            f"{name}={getattr(self, name)!r}"
            for name, default in usual.items()
            if getattr(self, name) != default
        ]
