"""The window of a convolution: where it steps, what it pads, and whether that keeps the law.

`PlanarConv` and `SteerableConv3d` are the same here: one number for all axes, and the law exact
if and only if the last window ends where the padded input ends.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["PADDING_MODES", "Window"]

PADDING_MODES = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
}


class Window:
    """What a layer with a square (or cubic) window knows about its geometry; a mix-in."""

    label: str
    kernel_size: int
    stride: int
    padding: int | Literal["same", "valid"]
    dilation: int
    padding_mode: str

    def check_window(self, downsample: str) -> None:
        """Raise `ValueError` unless the arguments make a window.

        Args:
            downsample: the layer that halves every size exactly, for the message.
        """
        label = self.label
        for name in ("kernel_size", "stride", "dilation"):
            if getattr(self, name) < 1:
                raise ValueError(f"{label}: {name} must be 1 or more; got {getattr(self, name)}.")
        if self.padding_mode not in PADDING_MODES:
            modes = ", ".join(map(repr, PADDING_MODES))
            raise ValueError(f"{label}: padding_mode is one of {modes}; got {self.padding_mode!r}.")
        if isinstance(self.padding, int):
            if self.padding < 0:
                raise ValueError(f"{label}: padding must be 0 or more; got {self.padding}.")
        elif self.padding not in ("same", "valid"):
            raise ValueError(
                f"{label}: padding is a number, 'same' or 'valid'; got {self.padding!r}."
            )
        elif self.padding == "same" and self.stride != 1:
            raise ValueError(
                f"{label}: padding='same' needs stride 1; got stride={self.stride}. "
                f"Give the padding as a number, or use {downsample} for the stride."
            )

    @property
    def margins(self) -> tuple[int, int]:
        """What is padded before the first and after the last pixel of each axis."""
        if isinstance(self.padding, int):
            return self.padding, self.padding
        total = self.dilation * (self.kernel_size - 1) if self.padding == "same" else 0
        return total // 2, total - total // 2

    def options_text(self, **more: object) -> list[str]:
        """What differs from the defaults, of the window and of `more`, for `print(model)`."""
        usual = {"stride": 1, "padding": 0, "dilation": 1, **more, "padding_mode": "zeros"}
        return [
            f"{name}={getattr(self, name)!r}"
            for name, default in usual.items()
            if getattr(self, name) != default
        ]

    @property
    def smallest_side(self) -> int:
        """The least size of an axis that the window and the padding can take."""
        before, after = self.margins
        side = self.dilation * (self.kernel_size - 1) + 1 - before - after
        return max(side, {"reflect": after + 1, "circular": after}.get(self.padding_mode, 1))

    def is_exact(self, size: int) -> bool:
        """Is the law exact, to rounding, for inputs with `size` pixels along each axis?"""
        before, after = self.margins
        reach = size + before + after - self.dilation * (self.kernel_size - 1) - 1
        return before == after and reach % self.stride == 0
