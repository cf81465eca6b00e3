"""The layers on the plane, a row each, for both groups on squares and for one on hexagons."""

from __future__ import annotations

from dataclasses import replace

import torch

from equivlab import nn
from equivlab.fields import CircleIrreps, CircleMaps, RegularMaps
from equivlab.groups import O2, P4, P4M, P6, P6M, SO2, Cyclic, Dihedral, PointGroup
from tests.laws import BOUNDS
from tests.nn.case import CONVERTED, Case, Refusals


def _rows(group: PointGroup) -> dict[str, Case]:
    n = group.order
    lift_first = ((2, 3, 9, 9), rf"takes \(B, 3, {n}, H, W\).*LiftingConv2d\({group}, 3, ...\)")
    few = ((2, 3, n - 1, 9, 9), f"{n - 1} group elements and {group} has {n}")
    maps = (lift_first, few)
    small = ((2, 3, n, 1, 1), "Use a smaller kernel_size")
    return {
        "LiftingConv2d": Case(
            lambda: nn.LiftingConv2d(group, 3, 4, 3),
            bad=(
                ((2, 3, n, 9, 9), rf"GroupPool\({group}, 3\)"),
                ((2, 3, 2, 9), r"Use padding=1 with 'zeros'"),
            ),
            plain=CONVERTED,
        ),
        "GroupConv2d": Case(
            lambda: nn.GroupConv2d(group, 3, 4, 3, padding=1), bad=maps, plain=CONVERTED
        ),
        "GroupBatchNorm": Case(lambda: nn.GroupBatchNorm(group, 3), bad=maps, plain=CONVERTED),
        "GroupLayerNorm": Case(lambda: nn.GroupLayerNorm(group, 3), bad=maps, plain=CONVERTED),
        "GroupDropout": Case(lambda: nn.GroupDropout(group, 3, 0.5), bad=maps, plain=CONVERTED),
        "GroupMaxPool2d": Case(
            lambda: nn.GroupMaxPool2d(group, 3, 2), bad=(*maps, small), plain=CONVERTED
        ),
        "GroupAvgPool2d": Case(
            lambda: nn.GroupAvgPool2d(group, 3, 2), bad=(*maps, small), plain=CONVERTED
        ),
        "GroupDownsample2d": Case(
            lambda: nn.GroupDownsample2d(group, 3), bad=maps, plain=CONVERTED
        ),
        "GroupDownsample2d zeros": Case(
            lambda: nn.GroupDownsample2d(group, 3, 3, "zeros"), bad=maps, plain=CONVERTED
        ),
        **_frames(group, maps),
        **_sample_norms(group, maps),
        "LiftingStripConv2d": Case(
            lambda: nn.LiftingStripConv2d(group, 3, 4, (1, 3), padding=(0, 1)),
            bad=(((2, 3, n, 9, 9), rf"GroupPool\({group}, 3\)"),),
            plain=CONVERTED,
        ),
        "GroupStripConv2d": Case(
            lambda: nn.GroupStripConv2d(group, 4, 6, (5, 1), padding=(2, 0), groups=2),
            bad=(((2, 4, n - 1, 9, 9), f"{n - 1} group elements and {group} has {n}"),),
            plain=CONVERTED,
        ),
        "GroupLinear": Case(
            lambda: nn.GroupLinear(group, 3, 4, 3),
            bad=(*maps, ((2, 3, n, 4, 3), rf"takes maps of 3×3 pixels.*Pool2d\({group}, 3, 3\)")),
            plain=CONVERTED,
            size=3,
        ),
        "GroupConvTranspose2d": Case(
            lambda: nn.GroupConvTranspose2d(group, 4, 6, 3, 2, 1, groups=2),
            bad=(((2, 4, n - 1, 9, 9), f"{n - 1} group elements"),),
            plain=CONVERTED,
        ),
        "GroupDouble2d": Case(lambda: nn.GroupDouble2d(group, 3), bad=maps, plain=CONVERTED),
        "GroupPool": Case(lambda: nn.GroupPool(group, 3), bad=maps, plain=CONVERTED),
        "InvariantReadout": Case(
            lambda: nn.InvariantReadout(group, 3),
            bad=(*maps, ((2, 3), "5 axes, not 2")),
            plain=CONVERTED,
        ),
    }


def _hexagon_rows(group: PointGroup) -> dict[str, Case]:
    """The same on hexagons of radius 4, where windows are odd."""
    n = group.order
    square = ((2, 3, n, 8, 8), r"acts on hexagons .*to_hexagons\(image, radius=4\)")
    flat = ((2, 3, 9, 9), rf"LiftingConv2d\({group}, 3, ...\)")
    maps = (square, flat)
    miss = ((2, 3, n, 7, 7), r"steps of 2 over a hexagon of radius 3.*Use a radius of 2 or 4")
    picture = torch.arange(2 * 3 * 81.0).view(2, 3, 9, 9)
    rows = {
        "LiftingConv2d": Case(
            lambda: nn.LiftingConv2d(group, 3, 4, 3),
            bad=(
                ((2, 3, 8, 8), square[1]),
                (picture, r"Its numbers outside .*to_hexagons\(image, radius=4\); or.*mask\(x\)"),
            ),
        ),
        "GroupConv2d": Case(lambda: nn.GroupConv2d(group, 3, 4, 5, 2, 2), bad=(*maps, miss)),
        "GroupBatchNorm": Case(lambda: nn.GroupBatchNorm(group, 3), bad=maps),
        "GroupLayerNorm": Case(lambda: nn.GroupLayerNorm(group, 3), bad=maps),
        "GroupDropout": Case(lambda: nn.GroupDropout(group, 3, 0.5), bad=maps),
        "GroupMaxPool2d": Case(lambda: nn.GroupMaxPool2d(group, 3, 3, 2, 1), bad=(*maps, miss)),
        "GroupAvgPool2d": Case(
            lambda: nn.GroupAvgPool2d(group, 3, 3, 2, 1, count_include_pad=False),
            bad=(*maps, miss),
        ),
        "GroupDownsample2d": Case(
            lambda: nn.GroupDownsample2d(group, 3), bad=maps, plain=CONVERTED
        ),
        "GroupDouble2d": Case(lambda: nn.GroupDouble2d(group, 3), bad=maps, plain=CONVERTED),
        "DiscMask": Case(lambda: nn.DiscMask(RegularMaps(group, 3)), bad=maps),
        "GroupPool": Case(lambda: nn.GroupPool(group, 3), bad=maps),
        "InvariantReadout": Case(lambda: nn.InvariantReadout(group, 3), bad=maps),
    }
    return {
        name: replace(row, size=9, plain=CONVERTED if row.plain is None else row.plain)
        for name, row in rows.items()
    }


def _frames(group: PointGroup, maps: Refusals) -> dict[str, Case]:
    """What changes the size of maps."""
    return {
        "GroupAlign2d": Case(lambda: nn.GroupAlign2d(group, 3, 3, 2, 1), bad=maps, plain=CONVERTED),
        "GroupAlign2d hanging": Case(
            lambda: nn.GroupAlign2d(group, 3, 3, 2, ceil_mode=True), bad=maps, plain=CONVERTED
        ),
        "GroupAlign2d image": Case(
            lambda: nn.GroupAlign2d(group, 3, 1, 3, lifted=False), plain=CONVERTED
        ),
        "GroupPad2d": Case(
            lambda: nn.GroupPad2d(group, 3, 3, "reflect"), bad=maps, plain=CONVERTED
        ),
        "DiscMask": Case(lambda: nn.DiscMask(RegularMaps(group, 3)), bad=maps, plain=CONVERTED),
        "GroupPad2d cut": Case(lambda: nn.GroupPad2d(group, 3, -3), plain=CONVERTED),
        "GroupUpsample2d": Case(
            lambda: nn.GroupUpsample2d(group, 3, None, 2), bad=maps, plain=CONVERTED
        ),
        "GroupUpsample2d smooth": Case(
            lambda: nn.GroupUpsample2d(group, 3, 11, mode="bilinear"), plain=CONVERTED
        ),
        "GroupAdaptiveAvgPool2d": Case(
            lambda: nn.GroupAdaptiveAvgPool2d(group, 3, 3), bad=maps, plain=CONVERTED
        ),
        "GroupAdaptiveMaxPool2d": Case(
            lambda: nn.GroupAdaptiveMaxPool2d(group, 3, 3), bad=maps, plain=CONVERTED
        ),
    }


def _sample_norms(group: PointGroup, maps: Refusals) -> dict[str, Case]:
    fields = tuple(((2, 4, *shape[2:]), words) for shape, words in maps[1:])
    return {
        "GroupBlockNorm": Case(lambda: nn.GroupBlockNorm(group, 4, 2), bad=fields, plain=CONVERTED),
        "GroupBlockNorm oriented": Case(
            lambda: nn.GroupBlockNorm(group, 4, 2, oriented=True), bad=fields, plain=CONVERTED
        ),
        "OrientedLayerNorm": Case(
            lambda: nn.OrientedLayerNorm(group, 3), bad=maps, plain=CONVERTED
        ),
    }


def _bounded(rows: dict[str, Case], suffix: str) -> dict[str, Case]:
    return {name + suffix: replace(row, bounds=BOUNDS) for name, row in rows.items()}


C8, P4_OF_C8 = Cyclic(8), ((2, 3, 4, 9, 9), "4 group elements and C8 has 8")
BETWEEN = {
    "GroupRestrict": Case(
        lambda: nn.GroupRestrict(C8, P4, 3), bad=(P4_OF_C8,), plain=CONVERTED, bounds=BOUNDS
    ),
    "GroupInduce": Case(
        lambda: nn.GroupInduce(P4, C8, 6),
        bad=(((2, 6, 8, 9, 9), "8 group elements and P4 has 4"),),
        plain=CONVERTED,
        bounds=BOUNDS,
    ),
}


WAVES = "2x0 + 2x1 + 1x2"  # 8 channels
FLAT = ((2, 8, 9), "Add the batch axis")
CIRCLE = {
    "SteerableConv2d": Case(
        lambda: nn.SteerableConv2d(WAVES, "3x0 + 2x1 + 1x3", 5, padding=2),
        bad=(FLAT, ((2, 7, 9, 9), "7 channels; the irreps .* need 8")),
        plain=CONVERTED,
    ),
    "SteerableConv2d O2": Case(
        lambda: nn.SteerableConv2d("2x0e + 1x0o + 1x1", "1x0o + 2x1 + 1x0e + 1x2", 5, group=O2),
        bad=(FLAT,),
        plain=CONVERTED,
    ),
    "CircleActivation": Case(lambda: nn.CircleActivation(2, 2), bad=(FLAT,), plain=CONVERTED),
    "CircleActivation O2": Case(lambda: nn.CircleActivation(2, 1, group=O2), plain=CONVERTED),
    "CircleGate": Case(lambda: nn.CircleGate("2x0 + 2x1 + 1x2"), bad=(FLAT,), plain=CONVERTED),
    "CircleDownsample2d": Case(lambda: nn.CircleDownsample2d(WAVES), bad=(FLAT,), plain=CONVERTED),
    "DiscMask circle": Case(
        lambda: nn.DiscMask(CircleMaps(CircleIrreps.parse(WAVES, SO2))),
        bad=(FLAT,),
        plain=CONVERTED,
    ),
    "CircleDouble2d": Case(lambda: nn.CircleDouble2d(WAVES), bad=(FLAT,), plain=CONVERTED),
    "IrrepBatchNorm plane": Case(
        lambda: nn.IrrepBatchNorm(CircleIrreps.parse(WAVES, SO2), CircleMaps),
        bad=(FLAT,),
        plain=CONVERTED,
    ),
    "CircleReadout": Case(lambda: nn.CircleReadout(WAVES), bad=(FLAT,), plain=CONVERTED),
}


def _steerable(group: PointGroup, *names: str) -> dict[str, Case]:
    """The layers that make something of the group, with filters of harmonics."""
    return {name: row for name, row in _rows(group).items() if name in names}


LAYERS: dict[str, Case] = (
    BETWEEN
    | CIRCLE
    | _bounded(_rows(P4), "")
    | _bounded(_rows(P4M), " P4M")
    | _bounded(_hexagon_rows(P6M), " P6M")
    | _bounded(_steerable(Cyclic(8), "LiftingConv2d", "GroupConv2d", "InvariantReadout"), " C8")
    | _bounded(_steerable(Dihedral(8), "LiftingConv2d", "GroupConv2d"), " D8")
)
LAYERS |= _bounded({"GroupConv2d": _hexagon_rows(P6)["GroupConv2d"]}, " P6")
