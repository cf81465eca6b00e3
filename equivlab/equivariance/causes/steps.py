"""What is wrong with the grid that a layer steps over: on pixels and on voxels alike."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["first", "wrong_steps"]

TRANSPOSED = (nn.ConvTranspose2d, nn.ConvTranspose3d)


def wrong_steps(module: nn.Module, given: object, exact_layer: str, unit: str) -> str | None:
    """What a stride or a window does wrong on the input `given`; None if it fits.

    Args:
        module: the layer.
        given: its input.
        exact_layer: which layer would be exact on every size.
        unit: of a side, ``rows`` or ``voxels``.
    """
    size = given.shape[-1] if isinstance(given, Tensor) and given.dim() >= 4 else None
    kernel = first(getattr(module, "kernel_size", None))
    if size is None or kernel is None or isinstance(module, TRANSPOSED):
        return None
    stride, dilation = first(getattr(module, "stride", 1)) or kernel, 1
    dilation = first(getattr(module, "dilation", 1)) or 1
    padding = getattr(module, "padding", 0)
    if padding == "same" and dilation * (kernel - 1) % 2:
        return (
            f"padding='same' with kernel_size={kernel} pads one side more than the other. "
            "Use an odd kernel."
        )
    margin = first(padding) or 0
    rest = (size + 2 * margin - dilation * (kernel - 1) - 1) % stride
    if rest == 0:
        return None
    return (
        f"stride {stride} with kernel {kernel} and padding {margin} on {size} {unit} stops {rest} "
        f"short of the edge, so a turn does not map its grid to itself. Use "
        f"{size - rest} or {size - rest + stride} {unit}, or {exact_layer}, which is exact on "
        "every size."
    )


def first(value: object) -> int | None:
    """A number, or the first of several; None for anything else."""
    if isinstance(value, tuple | list) and value:
        value = value[0]
    return value if isinstance(value, int) else None
