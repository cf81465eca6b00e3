"""Group convolutions on the plane: lifting (images to P4 or P4M) and group to group.

Both are ordinary convolutions with a bank of filters: each learned filter in all its
orientations. Where is the law exact? On the grid that the layer steps over, a turn about the
centre of the input must be a turn about the centre of the output. So it is exact, to rounding,
if and only if the last window ends where the padded input ends::

    (H + 2·padding − dilation·(kernel_size − 1) − 1) % stride == 0

and likewise in `W`. That always holds for stride 1. Stride 2 on the wrong parity loses it
altogether: relative errors of 0.5 to 0.9. `is_exact` tells, `equivlab.audit` measures, and
`GroupDownsample2d` halves *every* size exactly.

To rounding means to that of the convolution: on a GPU cuDNN takes ten bits of each float32
number (TF32) unless ``torch.backends.cudnn.allow_tf32 = False``.
"""

from __future__ import annotations

from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.nn.conv import PlanarConv

__all__ = ["GroupConv2d", "LiftingConv2d"]


class LiftingConv2d(PlanarConv):
    """Convolve an image with every filter in all its orientations.

    ``out[o, g, x] = bias[o] + Σ_i Σ_y f[i, y] · ψ[o, i](g⁻¹(y − x))``, which obeys
    ``layer(act(g, f)) == act(g, layer(f))`` from scalar to regular maps (Cohen & Welling,
    ICML 2016, equation 10).

    Args:
        group: `P4` or `P4M`.
        in_channels: channels ``I`` of the image.
        out_channels: regular fields ``O`` of the output; each has ``|G|`` maps.
        kernel_size: side ``k`` of the square filters, in pixels.
        stride: step in pixels; see the module's page for when it is exact.
        padding: rows and columns added on every side, or ``'same'``, ``'valid'``. With an even
            kernel ``'same'`` pads one side more, which no turn respects: not exact.
        dilation: distance in pixels between the filter's taps; exact with stride 1.
        groups: blocks of channels that do not mix, as in `torch.nn.Conv2d`.
        bias: add one learned number to each field, shared by its orientations.
        padding_mode: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``; all exact.
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
        group: `P4` or `P4M`.
        in_channels: regular fields ``I`` of the input.
        out_channels: regular fields ``O`` of the output.
        kernel_size: side ``k`` of the square filters, in pixels.
        stride: as in `LiftingConv2d`, like all that follow.
        padding: a number, ``'same'`` or ``'valid'``.
        dilation: distance in pixels between the filter's taps.
        groups: blocks of fields that do not mix.
        bias: add one learned number to each field.
        padding_mode: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``.
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
