"""ResNet-18, written once with the group as an argument: plain, P4, C8, SO(2), ....

>>> from equivlab.groups import P4, P4M
>>> for group in (None, P4, P4M):
...     print(group, sum(p.numel() for p in ResNet18(group, width=64).parameters()))
None 11171779
P4 11164643
P4M 11187977
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from equivlab.groups import PointGroup
from equivlab.models.parts import Planar, PlanarParts
from equivlab.models.placing import place
from equivlab.models.sizes import ExactRadius, ExactSize
from equivlab.nn import GroupConv2d, LiftingConv2d

__all__ = ["ResNet18"]

Stem = Literal["full", "no_pool", "small"]
# Halvings from the image to the last stage; each wants an odd size, so all want 2ⁿ·j + 1.
HALVINGS = {"full": 5, "no_pool": 4, "small": 3}


class ResNet18(nn.Module):
    """The 18-layer residual network of He, Zhang, Ren & Sun (CVPR 2016), on any group.

    ``model(act(g, x)) == model(x)`` to rounding, for every image size: strides are exact on
    sizes ``2ⁿ·j + 1`` only, so an image is first brought to the next one. An even size is
    averaged over 2×2 windows (which gives one pixel more, with its edge repeated), then the
    edge is repeated equally on all sides: 64 → 65, 150 → 161. Between quarter turns the strides
    alias, and the law holds only nearly; `equivlab.audit` measures. On hexagons (`P6`, `P6M`) the
    radius grows by rings of zeros to the next multiple of 32 (stem ``'small'``: 8).

    Args:
        group: `P4`, `P4M`, `P6`, `P6M`, `Cyclic(n)`, `Dihedral(n)`, `SO2`, `O2`, or None for
            ordinary layers. Without a group the names of the parameters are torchvision's, see
            `load_resnet18_weights`.
        in_channels: channels of the image.
        classes: class scores.
        width: channels of the first stage of the plain network; 64 in the paper.
        match: what a group network has in common with it: ``'parameters'`` (to 2 %: with P4 and
            P4M ``width/√|G|`` fields) or ``'width'`` (as many maps: ``width/|G|`` fields).
        stem: ``'full'``: 7×7 with stride 2 and maximum with stride 2, as in the paper;
            ``'no_pool'`` leaves the maximum out; ``'small'`` is 3×3 with stride 1.
        readout: over the group, ``'mean'`` or ``'max'``; then the mean over space.
        kernel_size: of the blocks, odd; None is 3, and 5 where filters are circular harmonics, of
            which 3×3 pixels hold only the first two.
        exact_size: bring the image to an exact size. None: with a group only; True without a
            group makes a fair twin, False is torchvision's network.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, H, W)`` to ``(B, classes)``.

    Raises:
        ValueError: a width that the group does not divide, an unknown stem, or an image of
            another kind.
    """

    #: For `equivlab.transfer`: which modules belong together.
    stages: ClassVar[dict[str, tuple[str, ...]]] = {
        "stem": ("conv1", "bn1"),
        **{f"layer{n}": (f"layer{n}",) for n in range(1, 5)},
        "head": ("fc",),
    }

    def __init__(
        self,
        group: Planar,
        in_channels: int = 1,
        classes: int = 3,
        width: int = 64,
        *,
        match: Literal["parameters", "width"] = "parameters",
        stem: Stem = "full",
        readout: Literal["mean", "max"] = "mean",
        kernel_size: int | None = None,
        exact_size: bool | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if stem not in HALVINGS:
            raise ValueError(f"ResNet18: stem is one of {', '.join(HALVINGS)}; got {stem!r}.")
        if width < 1:
            raise ValueError(f"ResNet18: width must be 1 or more; got {width}.")
        self.group = group
        parts = PlanarParts(group)
        size = kernel_size or parts.kernel_size
        if size % 2 == 0:
            raise ValueError(f"ResNet18: kernel_size must be odd; got {size}.")
        fields = [_fields(parts, width * 2**stage, match, size) for stage in range(4)]
        if group is not None:
            self.in_field = parts.scalars(in_channels)
            self.out_field = parts.invariant(classes)
        if group is not None if exact_size is None else exact_size:
            kind = ExactRadius if parts.on_hexagons else ExactSize
            step, field = 2 ** HALVINGS[stem], parts.scalars(in_channels)
            self.exact: nn.Module = kind(step, field, f"ResNet18({group})")
        else:
            self.exact = nn.Identity()
        first, stride = (size, 1) if stem == "small" else (7, 2)
        self.conv1 = parts.lift(in_channels, fields[0], first, stride, first // 2, bias=False)
        self.bn1 = parts.norm(fields[0])
        self.relu = parts.bend(fields[0], inplace=True)
        full = stem == "full"
        self.maxpool = parts.maximum(fields[0], 3, 2, 1) if full else nn.Identity()
        self.layer1 = _stage(parts, fields[0], fields[0], size, 1)
        self.layer2 = _stage(parts, fields[0], fields[1], size, 2)
        self.layer3 = _stage(parts, fields[1], fields[2], size, 2)
        self.layer4 = _stage(parts, fields[2], fields[3], size, 2)
        self.avgpool = parts.readout(fields[3], readout)  # then over space
        self.fc = nn.Linear(parts.readout_size(fields[3]), classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | LiftingConv2d | GroupConv2d):
                # From the fan-in I·|G|·k·k, which is right for every group.
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        place(self, device, dtype)

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees, ``(B, fields)``: invariant numbers."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(self.exact(x)))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        numbers: Tensor = self.avgpool(x)
        return numbers

    def forward(self, x: Tensor) -> Tensor:
        """Class scores ``(B, classes)`` of images ``(B, in_channels, H, W)``."""
        scores: Tensor = self.fc(self.features(x))
        return scores


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, parts: PlanarParts, before: int, after: int, size: int, stride: int) -> None:
        super().__init__()
        self.conv1 = parts.conv(before, after, size, stride, size // 2, bias=False)
        self.bn1 = parts.norm(after)
        self.relu = parts.bend(after, inplace=True)
        self.conv2 = parts.conv(after, after, size, 1, size // 2, bias=False)
        self.bn2 = parts.norm(after)
        self.downsample: nn.Module | None = None
        if stride != 1 or before != after:
            conv = parts.conv(before, after, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, parts.norm(after))

    def forward(self, x: Tensor) -> Tensor:
        """``relu(shortcut(x) + two convolutions of x)``."""
        short = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out: Tensor = self.relu(y + short)
        return out


def _fields(parts: PlanarParts, width: int, match: str, size: int) -> int:
    group = parts.group
    if group is None:
        return width
    if match == "parameters":
        return parts.fields(width, size)
    order = group.order if isinstance(group, PointGroup) else 0
    if match != "width" or not order or width % order:
        raise ValueError(
            f"ResNet18({group}): match is 'parameters' or 'width', and equal width wants a point "
            f"group whose order divides the width; got match={match!r} and width={width}."
        )
    return width // order


def _stage(parts: PlanarParts, before: int, after: int, size: int, stride: int) -> nn.Sequential:
    first = BasicBlock(parts, before, after, size, stride)
    return nn.Sequential(first, BasicBlock(parts, after, after, size, 1))
