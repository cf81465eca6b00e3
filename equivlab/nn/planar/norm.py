"""Normalisation and dropout that treat the orientations of a field alike.

One mean, one variance, one scale, one shift, one coin *per field*, never per orientation: an
ordinary `torch.nn.BatchNorm2d` on the ``C·G`` maps would learn a number for each orientation,
and the law would be gone (`equivlab.audit` names this cause).

On hexagons statistics are those of the cells alone, and zeros stand outside afterwards, whatever
the shift.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.fields import RegularMaps
from equivlab.fields.cells import cells_of
from equivlab.groups import PointGroup
from equivlab.nn.base import FieldModule, check_home, integer
from equivlab.nn.running import RunningNorm

__all__ = ["GroupBatchNorm", "GroupDropout", "GroupLayerNorm"]


class GroupBatchNorm(RunningNorm, nn.BatchNorm3d):
    """Batch normalisation of regular maps, its statistics shared by the orientations.

    ``out = weight[c] · (f − mean[c]) / sqrt(var[c] + eps) + bias[c]`` with the mean and the
    variance over batch, group and space (on hexagons over their cells), so
    ``layer(act(g, f)) == act(g, layer(f))`` exactly (Cohen & Welling, ICML 2016, section 6.3).
    It is the `torch.nn.BatchNorm3d` whose depth axis is the group, with that layer's arguments,
    buffers and `state_dict`.

    Args:
        group: `P4` or `P4M`; `P6` or `P6M` on hexagons.
        channels: regular fields ``C``.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics; None averages all batches.
        affine: learn ``weight`` and ``bias``.
        track_running_stats: keep running statistics and use them in `eval()`.
        device: where they live.
        dtype: their type.

    Shape:
        ``(B, C, G, H, W)`` to the same.

    Raises:
        ValueError: a tensor of another kind.

    >>> from equivlab.groups import P4
    >>> GroupBatchNorm(P4, 8)
    GroupBatchNorm(RegularMaps(P4, 8), eps=1e-05, momentum=0.1)
    """

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        channels = integer(channels, "channels", "GroupBatchNorm")
        super().__init__(channels, eps, momentum, affine, track_running_stats, device, dtype)
        self.in_field = self.out_field = RegularMaps(group, channels)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``(B, C, G, H, W)``."""
        label = f"GroupBatchNorm({self.in_field.group}, {self.num_features})"
        x = self.in_field.validate(input, label)
        home = self.weight if self.affine else self.running_mean
        if home is not None and x.dtype not in (torch.bfloat16, torch.float16):
            check_home(x, home, label)  # torch normalises half precision with float32 numbers
        if self.in_field.on_hexagons:
            return self.in_field.mask(self.normalise(x))
        if self.shares():
            return self.normalise(x)
        if x.is_contiguous():
            return super().forward(x)
        # Channels-last memory is (B, H, W, C, G): the same numbers as a batch of B·H·W
        # samples with C channels of length G, so no copy is needed.
        b, c, g, h, w = x.shape
        rows = x.permute(0, 3, 4, 1, 2).reshape(b * h * w, c, g, 1, 1)
        return super().forward(rows).view(b, h, w, c, g).permute(0, 3, 4, 1, 2)

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor, float]:
        """Of this process's batch; of hexagons those of the cells, for outside are zeros."""
        if not self.in_field.on_hexagons:
            return super().moments(x)
        count = x.shape[0] * x.shape[2] * cells_of(x.shape[-1])
        axes = (0, 2, 3, 4)
        mean = self.in_field.mask(x).sum(axes) / count
        centred = self.in_field.mask(x - mean.view(1, -1, 1, 1, 1))
        return mean, centred.square().sum(axes) / count, float(count)

    def extra_repr(self) -> str:
        """The field and the settings, for `print(model)`."""
        changed = "" if self.affine else ", affine=False"
        changed += "" if self.track_running_stats else ", track_running_stats=False"
        changed += ", synced=True" if self.synced else ""
        return f"{self.in_field}, eps={self.eps}, momentum={self.momentum}{changed}"


class SampleNorm(FieldModule):
    """What norms of one sample share: a field, a factor and a summand for each of its channels."""

    in_field: RegularMaps

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        eps: float,
        affine: bool,
        bias: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        channels = integer(channels, "channels", type(self).__name__)
        super().__init__(RegularMaps(group, channels), RegularMaps(group, channels))
        self.eps = eps
        self.weight: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None
        if affine:
            self.weight = nn.Parameter(torch.ones(channels, device=device, dtype=dtype))
        if affine and bias:
            self.bias = nn.Parameter(torch.zeros(channels, device=device, dtype=dtype))

    def check(self, x: Tensor) -> Tensor:
        """Return `x` if this layer can take it, else raise with the remedy."""
        super().check(x)
        if self.weight is not None:
            check_home(x, self.weight, self.label)
        return x


class GroupLayerNorm(SampleNorm):
    """Layer normalisation at each pixel, over all fields and orientations there.

    ``out = weight[c] · (f − mean) / sqrt(var + eps) + bias[c]`` with the mean and the variance
    of the ``C·G`` numbers at each pixel of each sample; no batch statistics, so it behaves the
    same in `train()` and `eval()`. ``layer(act(g, f)) == act(g, layer(f))`` exactly
    (Ba, Kiros & Hinton, 2016, with the affine map shared by the orientations).

    Args:
        group: `P4` or `P4M`; `P6` or `P6M` on hexagons.
        channels: regular fields ``C``.
        eps: added to the variance.
        elementwise_affine: learn ``weight``, and ``bias``, one number for each field.
        bias: learn the bias, if affine at all.
        device: where they live.
        dtype: their type.

    Shape:
        ``(B, C, G, H, W)`` to the same.

    Raises:
        ValueError: a tensor of another kind, dtype or device.
    """

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(group, channels, eps, elementwise_affine, bias, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(B, C, G, H, W)`` at each pixel."""
        rows = self.check(x).permute(0, 3, 4, 1, 2)  # (B, H, W, C, G)
        shape = rows.shape[-2:]
        weight = None if self.weight is None else self.weight[:, None].expand(shape)
        bias = None if self.bias is None else self.bias[:, None].expand(shape)
        y = F.layer_norm(rows, shape, weight, bias, self.eps).permute(0, 3, 4, 1, 2)
        y = self.in_field.mask(y)
        return y.contiguous() if x.is_contiguous() else y

    def extra_repr(self) -> str:
        """The field and the settings, for `print(model)`."""
        return f"{self.in_field}, eps={self.eps}, affine={self.weight is not None}"


class GroupDropout(FieldModule):
    """Dropout of whole fields: all orientations and all pixels of a channel, or none.

    One coin per field and sample, so in training ``layer(act(g, f)) == act(g, layer(f))`` for
    the same coins, not only on average. In `eval()` it does nothing. The orientations of a
    field are one feature, so keeping some of them would let the rest leak through (compare
    `torch.nn.Dropout3d`, whose depth axis is the group here).

    Args:
        group: `P4` or `P4M`; `P6` or `P6M` on hexagons.
        channels: regular fields ``C``.
        p: probability to drop a field.
        inplace: write into the input.

    Shape:
        ``(B, C, G, H, W)`` to the same.

    Raises:
        ValueError: `p` outside 0 to 1, or a tensor of another kind.
    """

    def __init__(
        self, group: PointGroup, channels: int, p: float = 0.5, inplace: bool = False
    ) -> None:
        super().__init__(RegularMaps(group, channels), RegularMaps(group, channels))
        if not 0 <= p <= 1:
            raise ValueError(f"{self.label}: p is a probability from 0 to 1; got {p}.")
        self.p = p
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        """Drop fields of ``(B, C, G, H, W)`` in training; scale the others by ``1/(1 − p)``."""
        return F.dropout3d(self.check(x), self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The field and the probability, for `print(model)`."""
        return f"{self.in_field}, p={self.p}"
