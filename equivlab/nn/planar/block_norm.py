"""Norms of one sample: over blocks of fields, or over the fields of one orientation.

Each can take its mean over all orientations together, or for each by itself (`oriented`). Both are
equivariant, since the group only permutes orientations. Together keeps how strong one orientation
is beside another; by itself is what an ordinary norm does to the turned image, so that weights of
an ordinary network keep their meaning (`equivlab.transfer.from_plain`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.groups import PointGroup
from equivlab.nn.base import integer
from equivlab.nn.planar.norm import SampleNorm

__all__ = ["GroupBlockNorm", "OrientedLayerNorm"]


class GroupBlockNorm(SampleNorm):
    """Group normalisation of regular maps: over blocks of fields and over space.

    ``out = weight[c] · (f − mean) / sqrt(var + eps) + bias[c]`` with the mean and the variance of a
    block of ``C / blocks`` fields over all pixels, and over the orientations (or for each, if
    `oriented`), so ``layer(act(g, f)) == act(g, layer(f))`` exactly (Wu & He, *Group
    Normalization*, ECCV 2018). One block is layer normalisation of the whole
    sample, ``C`` blocks instance normalisation.

    Args:
        group: `P4` or `P4M`.
        channels: regular fields ``C``.
        blocks: how many blocks of fields; ``num_groups`` of `torch.nn.GroupNorm`.
        eps: added to the variance.
        affine: learn ``weight`` and ``bias``, one number for each field.
        oriented: each orientation by itself.
        device: where they live.
        dtype: their type.

    Shape:
        ``(B, C, G, H, W)`` to the same.

    Raises:
        ValueError: blocks that do not divide the fields, or a tensor of another kind.
    """

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        blocks: int = 1,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        oriented: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(group, channels, eps, affine, True, device, dtype)
        self.blocks = integer(blocks, "blocks", self.label)
        self.oriented = oriented
        if channels % self.blocks:
            raise ValueError(f"{self.label}: blocks={blocks} must divide channels={channels}.")

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(B, C, G, H, W)``."""
        self.check(x)
        if not self.oriented:
            return F.group_norm(x, self.blocks, self.weight, self.bias, self.eps)
        each = x.transpose(1, 2).flatten(0, 1)  # (B·G, C, H, W)
        normed = F.group_norm(each, self.blocks, self.weight, self.bias, self.eps)
        return normed.view(x.shape[0], x.shape[2], *x.shape[1:2], *x.shape[3:]).transpose(1, 2)

    def extra_repr(self) -> str:
        """The field and the settings, for `print(model)`."""
        parts = f"{self.in_field}, blocks={self.blocks}, eps={self.eps}"
        parts += "" if self.weight is not None else ", affine=False"
        return parts + (", oriented=True" if self.oriented else "")


class OrientedLayerNorm(SampleNorm):
    """Layer normalisation at each pixel, over the fields of one orientation at a time.

    ``out = weight[c] · (f − mean) / sqrt(var + eps) + bias[c]`` with the mean and the variance of
    the ``C`` numbers of one orientation at one pixel. The group permutes orientations, so
    ``layer(act(g, f)) == act(g, layer(f))`` exactly (after Ba, Kiros & Hinton, 2016).
    `GroupLayerNorm` takes all orientations together.

    Args:
        group: `P4` or `P4M`.
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
        """Normalise ``(B, C, G, H, W)``."""
        rows = self.check(x).movedim(1, -1)  # (B, G, H, W, C)
        fields = self.in_field.channels
        normed = F.layer_norm(rows, (fields,), self.weight, self.bias, self.eps).movedim(-1, 1)
        return normed.contiguous() if x.is_contiguous() else normed

    def extra_repr(self) -> str:
        """The field and the settings, for `print(model)`."""
        return f"{self.in_field}, eps={self.eps}, affine={self.weight is not None}"
