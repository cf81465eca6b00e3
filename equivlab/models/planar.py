"""The planar networks of the papers and their plain twins: one text, the group is an argument.

>>> from equivlab.groups import P4, P4M
>>> sum(p.numel() for p in P4CNN().parameters())
24680
>>> sum(p.numel() for p in Z2CNN().parameters())
21750
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equivlab.fields import Invariant, ScalarMaps
from equivlab.groups import P4, PointGroup
from equivlab.nn import (
    GroupBatchNorm,
    GroupConv2d,
    GroupMaxPool2d,
    InvariantReadout,
    LiftingConv2d,
)

__all__ = ["DigitCNN", "P4CNN", "Z2CNN", "smooth_network"]

WIDTHS = {"none": 20, "P4": 10, "P4M": 7}  # fields that give about as many parameters
POOL_AFTER = 2
DROP_AFTER = (1, 3, 4, 5, 6)


class DigitCNN(nn.Module):
    """The seven-layer network for rotated digits of Cohen & Welling (ICML 2016, section 8.1).

    Six convolutions 3×3 without padding, each with batch normalisation and ReLU, a 2×2 maximum
    after the second, and a 4×4 convolution to the class scores; with a group, the maximum over
    the group at the end, so ``model(act(g, x)) == model(x)`` exactly on images of even size.

    Args:
        group: `P4`, `P4M`, or None for ordinary layers (the paper's Z2CNN).
        in_channels: channels of the image.
        classes: class scores.
        channels: width of the hidden layers (fields, each of ``|G|`` maps); by default the one
            that gives 22 to 25 thousand parameters: 20 plain, 10 with P4, 7 with P4M.
        dropout: probability to drop a number after layers 1, 3, 4, 5 and 6 in training.

    Shape:
        ``(B, in_channels, H, W)``, 28×28 or larger, to ``(B, classes)``.

    Raises:
        ValueError: an image that is too small or of another kind.
    """

    def __init__(
        self,
        group: PointGroup | None,
        in_channels: int = 1,
        classes: int = 10,
        channels: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.group = group
        width = channels or WIDTHS["none" if group is None else group.name]
        if group is not None:
            self.in_field = ScalarMaps(group, in_channels)
            self.out_field = Invariant(group, classes)

        layers: list[nn.Module] = []
        for number in range(1, 7):
            before = in_channels if number == 1 else width
            layers += [_conv(group, number, before, width, 3), _norm(group, width), nn.ReLU()]
            if number == POOL_AFTER:
                layers.append(_halve(group, width))
            if dropout and number in DROP_AFTER:
                layers.append(nn.Dropout(dropout))
        layers.append(_conv(group, 7, width, classes, 4))
        self.features = nn.Sequential(*layers)
        self.readout = _readout(group, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores ``(B, classes)`` of images ``(B, in_channels, H, W)``."""
        scores: Tensor = self.readout(self.features(x))
        return scores


def P4CNN(
    group: PointGroup = P4,
    in_channels: int = 1,
    classes: int = 10,
    channels: int | None = None,
    dropout: float = 0.0,
) -> DigitCNN:
    """The P4CNN of Cohen & Welling (2016), or its P4M twin; arguments as `DigitCNN`."""
    return DigitCNN(group, in_channels, classes, channels, dropout)


def Z2CNN(
    in_channels: int = 1, classes: int = 10, channels: int | None = None, dropout: float = 0.1
) -> DigitCNN:
    """The Z2CNN of Cohen & Welling (2016): ordinary layers; arguments as `DigitCNN`."""
    return DigitCNN(None, in_channels, classes, channels, dropout)


def smooth_network(group: PointGroup | None) -> nn.Sequential:
    """Two layers of smooth filters made by hand, to look at: nothing in it is learned.

    The first finds edges (a Gaussian's derivative) and blobs, the second adds up what lies
    beside a place. Between quarter turns P4 can only be near to the law, and smooth filters
    keep it near: on 64×64 pictures of galaxies the maps are off by 0.10 to 0.15 at 45°, about
    what resampling the picture there and back costs; without the group by 0.5 to 0.6.

    Args:
        group: `P4`, `P4M`, or None for ordinary layers with the same filters.

    Shape:
        ``(B, 1, H, W)`` to ``(B, 2, G, H, W)``, or ``(B, 2, H, W)`` without a group.
    """
    order = 1 if group is None else group.order
    y, x = torch.meshgrid(torch.arange(4.0, -5, -1), torch.arange(-4.0, 5), indexing="ij")

    def blob(right: float, up: float, width: float) -> Tensor:
        return torch.exp(-((x - right) ** 2 + (y - up) ** 2) / (2 * width**2))

    detect = torch.stack([x * blob(0, 0, 1.8), blob(1.5, 0, 1.5)])
    detect /= torch.linalg.vector_norm(detect, dim=(1, 2), keepdim=True)
    # How much of each orientation is added up: the opposite one is subtracted, or left out.
    turns = torch.tensor([[1.0, 0.0, -1.0, 0.0], [1.0, 0.5, 0.0, 0.5]])  # (out, turn)
    mirrors = torch.tensor([1.0, 0.3])
    own = torch.einsum("m,or->omr", mirrors, turns).flatten(1)[:, :order]  # (out, G)
    signs = torch.tensor([[1.0, 0.1], [1.0, -0.3]])  # (out, in)
    beside = torch.stack([blob(0, 0, 1.5), blob(1.5, 0.7, 1.8)])
    gather = torch.einsum("oi,oh,oyx->oihyx", signs, own, beside / 40)

    if group is None:
        first: nn.Module = nn.Conv2d(1, 2, 9, padding=4, bias=False)
        second: nn.Module = nn.Conv2d(2, 2, 9, padding=4, bias=False)
    else:
        first = LiftingConv2d(group, 1, 2, 9, padding=4, bias=False)
        second = GroupConv2d(group, 2, 2, 9, padding=4, bias=False)
    for layer, filters in ((first, detect), (second, gather)):
        weight = layer.get_parameter("weight")
        weight.data.copy_(filters.reshape(weight.shape))
    return nn.Sequential(first, nn.ReLU(), second).eval()


def _conv(group: PointGroup | None, number: int, before: int, after: int, k: int) -> nn.Module:
    if group is None:
        return nn.Conv2d(before, after, k)
    return (LiftingConv2d if number == 1 else GroupConv2d)(group, before, after, k)


def _norm(group: PointGroup | None, width: int) -> nn.Module:
    return nn.BatchNorm2d(width) if group is None else GroupBatchNorm(group, width)


def _halve(group: PointGroup | None, width: int) -> nn.Module:
    return nn.MaxPool2d(2) if group is None else GroupMaxPool2d(group, width, 2)


def _readout(group: PointGroup | None, classes: int) -> nn.Module:
    if group is None:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return InvariantReadout(group, classes, mode="max", space="mean")
