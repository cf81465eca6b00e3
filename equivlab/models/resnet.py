"""ResNet-18, written once with the group as an argument: plain, P4 or P4M.

>>> from equivlab.groups import P4, P4M
>>> for group in (None, P4, P4M):
...     print(group, sum(p.numel() for p in ResNet18(group, width=64).parameters()))
None 11171779
P4 11164643
P4M 11187977
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.fields import Invariant, ScalarMaps
from equivlab.groups import PointGroup
from equivlab.nn import (
    GroupBatchNorm,
    GroupConv2d,
    GroupMaxPool2d,
    InvariantReadout,
    LiftingConv2d,
)

__all__ = ["ResNet18", "load_resnet18_weights"]

Stem = Literal["full", "no_pool", "small"]
# Halvings from the image to the last stage; each wants an odd size, so all want 2ⁿ·j + 1.
HALVINGS = {"full": 5, "no_pool": 4, "small": 3}


class ResNet18(nn.Module):
    """The 18-layer residual network of He, Zhang, Ren & Sun (CVPR 2016), on any group.

    ``model(act(g, x)) == model(x)`` to rounding, for every image size: strides are exact on
    sizes ``2ⁿ·j + 1`` only, so an image is first brought to the next one. An even size is
    averaged over 2×2 windows (which gives one pixel more, with its edge repeated), then the
    edge is repeated equally on all sides: 64 → 65, 150 → 161. Between quarter turns the strides
    alias, and the law holds only nearly; `equivlab.audit` measures.

    Args:
        group: `P4`, `P4M`, or None for ordinary layers. Without a group the names of the
            parameters are torchvision's, see `load_resnet18_weights`.
        in_channels: channels of the image.
        classes: class scores.
        width: channels of the first stage of the plain network; 64 in the paper.
        match: what a group network has in common with it: ``'parameters'`` (to 2 %:
            ``width/√|G|`` fields) or ``'width'`` (as many maps: ``width/|G|`` fields).
        stem: ``'full'``: 7×7 with stride 2 and maximum with stride 2, as in the paper;
            ``'no_pool'`` leaves the maximum out; ``'small'`` is 3×3 with stride 1.
        readout: over the group, ``'mean'`` or ``'max'``; then the mean over space.
        exact_size: bring the image to an exact size. None: with a group only; True without a
            group makes a fair twin, False is torchvision's network.

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
        group: PointGroup | None,
        in_channels: int = 1,
        classes: int = 3,
        width: int = 64,
        match: Literal["parameters", "width"] = "parameters",
        stem: Stem = "full",
        readout: Literal["mean", "max"] = "mean",
        exact_size: bool | None = None,
    ) -> None:
        super().__init__()
        if stem not in HALVINGS:
            raise ValueError(f"ResNet18: stem is one of {', '.join(HALVINGS)}; got {stem!r}.")
        self.group = group
        self.step = 2 ** HALVINGS[stem]
        self.exact_size = group is not None if exact_size is None else exact_size
        fields = [_fields(group, width * 2**stage, match) for stage in range(4)]
        if group is not None:
            self.in_field = ScalarMaps(group, in_channels)
            self.out_field = Invariant(group, classes)
        size, stride, padding = (3, 1, 1) if stem == "small" else (7, 2, 3)
        self.conv1 = _conv(group, in_channels, fields[0], size, stride, padding, lift=True)
        self.bn1 = _norm(group, fields[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = _pool(group, fields[0]) if stem == "full" else nn.Identity()
        self.layer1 = _stage(group, fields[0], fields[0], 1)
        self.layer2 = _stage(group, fields[0], fields[1], 2)
        self.layer3 = _stage(group, fields[1], fields[2], 2)
        self.layer4 = _stage(group, fields[2], fields[3], 2)
        self.avgpool: nn.Module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        if group is not None:
            self.avgpool = InvariantReadout(group, fields[3], mode=readout, space="mean")
        self.fc = nn.Linear(fields[3], classes)
        for module in self.modules():
            weight = getattr(module, "weight", None)
            if isinstance(weight, nn.Parameter) and weight.dim() == 4:
                # From the fan-in I·|G|·k·k, which is right for every group.
                nn.init.kaiming_normal_(weight, nonlinearity="relu")

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees, ``(B, fields)``: invariant numbers."""
        if self.group is not None:
            self.in_field.validate(x, f"ResNet18({self.group})")
        if self.exact_size:
            x = _to_exact_size(x, self.step)
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        numbers: Tensor = self.avgpool(x)
        return numbers

    def forward(self, x: Tensor) -> Tensor:
        """Class scores ``(B, classes)`` of images ``(B, in_channels, H, W)``."""
        scores: Tensor = self.fc(self.features(x))
        return scores


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    def __init__(self, group: PointGroup | None, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(group, before, after, 3, stride, 1)
        self.bn1 = _norm(group, after)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv(group, after, after, 3, 1, 1)
        self.bn2 = _norm(group, after)
        self.downsample: nn.Module | None = None
        if stride != 1 or before != after:
            conv = _conv(group, before, after, 1, stride, 0)
            self.downsample = nn.Sequential(conv, _norm(group, after))

    def forward(self, x: Tensor) -> Tensor:
        """``relu(shortcut(x) + two convolutions of x)``."""
        short = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out: Tensor = self.relu(y + short)
        return out


def load_resnet18_weights(
    model: ResNet18, state: Mapping[str, Tensor], head: bool = True
) -> list[str]:
    """Take the weights of torchvision's or timm's ``resnet18`` into the plain network.

    The first layer's filters are summed over their input channels where `model` looks at one
    channel (a grey picture in three equal channels gives the same); another number of classes
    leaves the head as it is.

    Args:
        model: ``ResNet18(None, ...)`` of width 64 with the full stem.
        state: ``torchvision.models.resnet18(...).state_dict()``, or timm's.
        head: take the last layer too, if it fits.

    Returns:
        The names of the parameters that were left as they are.

    Raises:
        ValueError: a group network, or weights of another network; `model` is untouched.
    """
    if model.group is not None:
        raise ValueError(
            "load_resnet18_weights fills the plain network; got one on "
            f"{model.group}. Fill ResNet18(None, ...), then equivlab.transfer.from_plain(it, this)."
        )
    own = model.state_dict()
    given = {name: value for name, value in state.items() if name in own}
    first = given.get("conv1.weight")
    if first is not None and own["conv1.weight"].shape[1] == 1:
        given["conv1.weight"] = first.sum(1, keepdim=True)
    if not head or given.get("fc.weight", own["fc.weight"]).shape != own["fc.weight"].shape:
        given = {name: value for name, value in given.items() if not name.startswith("fc.")}
    missing = [n for n in own if n not in given and not n.startswith("fc.")]
    missing = [n for n in missing if not n.endswith("num_batches_tracked")]
    other = [n for n, value in given.items() if value.shape != own[n].shape]
    unknown = [n for n in state if n not in own]
    if missing or other or unknown:
        wrong = (missing + other + unknown)[0]
        raise ValueError(
            f"These are no weights of this resnet18: {len(missing)} are missing, {len(other)} "
            f"have another shape, {len(unknown)} are unknown, for example {wrong}. Build "
            "ResNet18(None, width=64, stem='full') for those of torchvision and timm."
        )
    model.load_state_dict(own | given)
    return [name for name in own if name not in given]


def _fields(group: PointGroup | None, width: int, match: str) -> int:
    if group is None:
        return width
    if match == "parameters":
        return max(1, round(width / math.sqrt(group.order)))
    if match != "width" or width % group.order:
        raise ValueError(
            f"ResNet18({group}): match is 'parameters' or 'width', and equal width wants a width "
            f"that {group.order} divides; got match={match!r} and width={width}."
        )
    return width // group.order


def _to_exact_size(x: Tensor, step: int) -> Tensor:
    """The image on the next grid of ``step·j + 1`` pixels, its middle in the middle."""
    height, width = x.shape[-2:]
    even = [1 - side % 2 for side in (height, width)]
    if any(even):
        x = F.pad(x, (even[1], even[1], even[0], even[0]), mode="replicate")
        x = F.avg_pool2d(x, (1 + even[0], 1 + even[1]), stride=1)
    rows, columns = (-(side - 1) % step // 2 for side in x.shape[-2:])
    return F.pad(x, (columns, columns, rows, rows), mode="replicate")


def _conv(
    group: PointGroup | None,
    before: int,
    after: int,
    size: int,
    stride: int,
    padding: int,
    lift: bool = False,
) -> nn.Module:
    if group is None:
        return nn.Conv2d(before, after, size, stride, padding, bias=False)
    layer = LiftingConv2d if lift else GroupConv2d
    return layer(group, before, after, size, stride, padding, bias=False)


def _norm(group: PointGroup | None, fields: int) -> nn.Module:
    return nn.BatchNorm2d(fields) if group is None else GroupBatchNorm(group, fields)


def _pool(group: PointGroup | None, fields: int) -> nn.Module:
    if group is None:
        return nn.MaxPool2d(3, 2, 1)
    return GroupMaxPool2d(group, fields, 3, 2, 1)


def _stage(group: PointGroup | None, before: int, after: int, stride: int) -> nn.Sequential:
    first = BasicBlock(group, before, after, stride)
    return nn.Sequential(first, BasicBlock(group, after, after, 1))
