"""The planar networks of the papers and their plain twins: one text, the group is an argument.

>>> from equivlab.groups import P4, P4M
>>> sum(p.numel() for p in P4CNN().parameters())
24680
>>> sum(p.numel() for p in Z2CNN().parameters())
21750
>>> from equivlab.groups import Cyclic
>>> sum(p.numel() for p in P4CNN(Cyclic(8)).parameters())
25189
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from equivlab.groups import P4, CircleGroup, PointGroup
from equivlab.models.parts import Planar, PlanarParts, count_numbers
from equivlab.models.placing import place
from equivlab.nn import GroupConv2d, LiftingConv2d

__all__ = ["DigitCNN", "P4CNN", "Z2CNN", "smooth_network"]

# Fields that give about as many parameters.
WIDTHS = {"None": 20, "P4": 10, "P4M": 7, "P6": 8, "P6M": 5}
PARAMETERS = 25_000  # as many, of all other groups
# After which layers pixels are halved. Filters of harmonics cost most on the largest maps;
# functions on the circle keep theirs, for between quarter turns half of them double the error.
POOL_AFTER, FINE_POOL_AFTER = (2,), (1, 3)
DROP_AFTER = (1, 3, 4, 5, 6)


class DigitCNN(nn.Module):
    """The seven-layer network for rotated digits of Cohen & Welling (ICML 2016, section 8.1).

    Six convolutions 3×3 without padding, each with batch normalisation and ReLU, a 2×2 maximum
    after the second, and a 4×4 convolution to the class scores; with a group, the maximum over
    the group at the end, so ``model(act(g, x)) == model(x)`` exactly on images of even size.

    On hexagons a filter has 7 cells, the last one 19, and the maximum is over 7 at stride 2, exact
    on an even radius, 14 or more.

    Where filters are circular harmonics (`Cyclic(n)`, `Dihedral(n)`, `SO2`, `O2`) all convolutions
    are 5×5 and keep the size, for what a square frame cuts off would change in free turns; the
    maximum is a blur, and `Cyclic(n)` and `Dihedral(n)` take it after the first layer and after the
    third. The law is then exact at quarter turns, and in between the scores of a smooth picture are
    off by 1 to 5 %, those of P4 by 4 %, before training. Learning makes use of the square frame,
    which turns by quarters only, unless `disc` takes it away: ``docs/notes/rotated-mnist.md``.

    Args:
        group: a point group, `SO2` or `O2`, or None for ordinary layers (the paper's Z2CNN).
        in_channels: channels of the image.
        classes: class scores.
        width: of the hidden layers (fields: functions on the group); by default the one
            that gives about 25 thousand parameters: 20 plain, 10 with P4, 7 with P4M, 8 with P6,
            5 with P6M; of other groups one more in the later layers, if that is nearer.
        dropout: probability to drop a number after layers 1, 3, 4, 5 and 6 in training.
        halve_after: the numbers of the layers, 1 to 6, after which pixels are halved; None for the
            usual ones. The law is exact where each halving meets an even size.
        disc: a `DiscMask` after each of these layers, so that the edge of the maps is the same in
            all directions. For groups finer than quarter turns, whose convolutions keep the size.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, H, W)``, 28×28 or larger (by `halve_after` another bound), on hexagons
        29×29, of groups without a lattice any, to ``(B, classes)``.

    Raises:
        ValueError: an image that is too small or of another kind, or a number of no layer.
    """

    least = 1  # pixels a side

    def __init__(
        self,
        group: Planar,
        in_channels: int = 1,
        classes: int = 10,
        width: int | None = None,
        *,
        dropout: float = 0.0,
        halve_after: Sequence[int] | None = None,
        disc: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.group = group
        parts = PlanarParts(group)
        widths = _usual_widths(parts) if width is None else 6 * [width]
        if group is not None:
            self.in_field = parts.scalars(in_channels)
            self.out_field = parts.invariant(classes)

        layers: list[nn.Module] = []
        margin = parts.kernel_size // 2 if parts.steerable else 0
        fine = parts.steerable and isinstance(group, PointGroup)
        if halve_after is None:
            halve_after = FINE_POOL_AFTER if fine else POOL_AFTER
        if strange := [n for n in halve_after if n not in range(1, 7)]:
            raise ValueError(f"DigitCNN can halve after layers 1 to 6; halve_after has {strange}.")
        for number in range(1, 7):
            before = in_channels if number == 1 else widths[number - 2]
            width = widths[number - 1]
            make = parts.lift if number == 1 else parts.conv
            conv = make(before, width, parts.kernel_size, padding=margin, bias=True)
            layers += [conv, parts.norm(width), parts.bend(width)]
            layers += [parts.disc(width)] if disc else []
            if number in halve_after:
                layers.append(_halve(parts, width))
            if dropout and number in DROP_AFTER:
                layers.append(nn.Dropout(dropout))
        layers += [*parts.scores(widths[-1], classes, 4 if parts.on_squares else 5, margin)]
        self.features = nn.Sequential(*layers[:-1])
        self.readout = layers[-1]
        self.halve_after = tuple(sorted(set(halve_after)))
        if parts.on_squares:
            self.least = _least_side(self.halve_after)
        place(self, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores ``(B, classes)`` of images ``(B, in_channels, H, W)``."""
        traced = not isinstance(x, Tensor) or torch._C._get_tracing_state() is not None
        if not traced and x.ndim == 4 and min(x.shape[-2:]) < self.least:
            raise ValueError(
                f"DigitCNN({self.group}) that halves after {self.halve_after} takes images of "
                f"{self.least} pixels a side or more; got {tuple(x.shape)}. Enlarge them, lay a "
                "frame of their background around them, or halve less often: halve_after=() "
                f"takes {_least_side(())} pixels."
            )
        scores: Tensor = self.readout(self.features(x))
        return scores


def P4CNN(
    group: PointGroup | CircleGroup = P4,
    in_channels: int = 1,
    classes: int = 10,
    width: int | None = None,
    *,
    dropout: float = 0.0,
    halve_after: Sequence[int] | None = None,
    disc: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> DigitCNN:
    """The P4CNN of Cohen & Welling (2016), or its twin of another group; see `DigitCNN`."""
    return DigitCNN(
        group, in_channels, classes, width,
        dropout=dropout, halve_after=halve_after, disc=disc, device=device, dtype=dtype,
    )  # fmt: skip


def Z2CNN(
    in_channels: int = 1,
    classes: int = 10,
    width: int | None = None,
    *,
    dropout: float = 0.1,
    halve_after: Sequence[int] | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> DigitCNN:
    """The Z2CNN of Cohen & Welling (2016): ordinary layers; arguments as `DigitCNN`."""
    return DigitCNN(
        None, in_channels, classes, width,
        dropout=dropout, halve_after=halve_after, device=device, dtype=dtype,
    )  # fmt: skip


def smooth_network(
    group: PointGroup | None,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Sequential:
    """Two layers of smooth filters made by hand, to look at: nothing in it is learned.

    The first finds edges (a Gaussian's derivative) and blobs, the second adds up what lies
    beside a place. Between quarter turns P4 can only be near to the law, and smooth filters
    keep it near: on 64×64 pictures of galaxies the maps are off by 0.10 to 0.15 at 45°, about
    what resampling the picture there and back costs; without the group by 0.5 to 0.6.

    Args:
        group: `P4`, `P4M`, or None for ordinary layers with the same filters.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, 1, H, W)`` to ``(B, 2, G, H, W)``, or ``(B, 2, H, W)`` without a group.

    Raises:
        ValueError: a group on hexagons.
    """
    if group is not None and group.lattice == "hexagonal":
        raise ValueError(
            f"smooth_network has filters on square pixels, for P4 or P4M; got {group}."
        )
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
    return place(nn.Sequential(first, nn.ReLU(), second).eval(), device, dtype)


def _least_side(halve_after: Sequence[int]) -> int:
    """Pixels a side that leave one at the end, where no convolution is padded."""
    side = 4
    for number in range(6, 0, -1):
        side = (2 * side if number in halve_after else side) + 2
    return side


def _halve(parts: PlanarParts, width: int) -> nn.Module:
    if parts.steerable:
        return parts.halve(width)
    return parts.maximum(width, 2, 2) if parts.on_squares else parts.maximum(width, 3, 2, 1)


def _usual_widths(parts: PlanarParts) -> list[int]:
    """Of the six layers, with about as many parameters as the papers' networks."""
    name = str(parts.group)
    if name in WIDTHS:
        return 6 * [WIDTHS[name]]

    size = parts.kernel_size
    first = count_numbers(lambda: parts.lift(1, 1, size, bias=True))
    hidden = count_numbers(lambda: parts.conv(1, 1, size, bias=True))
    last = 10 * count_numbers(lambda: parts.scores(1, 1, size)[0])

    def total(widths: list[int]) -> int:
        pairs = sum(a * b for a, b in pairwise(widths))
        return first * widths[0] + hidden * pairs + last * widths[-1]

    narrow = max(1, math.isqrt(PARAMETERS // (5 * hidden)) - 1)
    # The later layers are the wider ones, where one width for all would miss the number.
    options = [(6 - n) * [w] + n * [w + 1] for w in range(narrow, narrow + 3) for n in range(6)]
    return min(options, key=lambda widths: abs(total(widths) - PARAMETERS))
