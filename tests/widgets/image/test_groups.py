"""RotateImage with groups that turn by other angles than 90°: on pixels, on hexagons, all turns."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor, nn

from equivlab.data import sky_images
from equivlab.fields import CircleMaps, HexMaps, RegularMaps
from equivlab.groups import O2, P6, P6M, SO2, CircleGroup, Cyclic, Dihedral, PointGroup
from equivlab.nn import GroupConv2d, LiftingConv2d, S2Conv, SteerableConv2d
from equivlab.projection import to_hexagons
from equivlab.widgets import RotateImage, broken
from equivlab.widgets.image.atlas import make_atlas
from equivlab.widgets.image.poses import poses, steps_of, unturn_matrices
from equivlab.widgets.page.cells import cells_as_picture

SKY = sky_images(1, size=17)
PLAIN = nn.Conv2d(1, 1, 3, padding=1)


def network(group: PointGroup) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [LiftingConv2d(group, 1, 2, 3, padding=1), GroupConv2d(group, 2, 2, 3, padding=1)]
    return nn.Sequential(*layers).eval()


def images(group: PointGroup) -> Tensor:
    return to_hexagons(SKY, 8) if group.lattice == "hexagonal" else SKY


@pytest.mark.parametrize("group", [Cyclic(3), Cyclic(8), Dihedral(8), Cyclic(16), P6, P6M], ids=str)
def test_every_element_of_the_group_is_a_frame(group: PointGroup) -> None:
    """And at each of them the maps change places as the group's own table says."""
    x, steps = images(group), steps_of(group)
    widget = RotateImage(network(group), x, compare=PLAIN, channels=[0], compare_channels=[0])
    assert (steps % 4, steps % group.turns) == (0, 0)
    matrices = unturn_matrices(group)
    for g in group.elements:
        m, r = group.split(g)
        frame = m * steps + r * steps // group.turns
        assert poses(group)[frame][1] == pytest.approx(group.angle(g))
        back = group.regular_representation(group.inverse(g))
        assert torch.allclose(matrices[frame], back, atol=1e-9)
        widget.mirror, widget.angle_deg = m > 0, math.degrees(group.angle(g))
        if group.permutes(g):
            assert widget.error() < 2e-6
            assert float(widget.baseline[0, m, frame % steps]) < 1e-6
    assert widget.dial == (group.order > 8)
    assert widget._spec["turns"] == group.turns
    assert f"{steps} angles" in repr(widget)
    json.dumps(widget._spec, allow_nan=False)


@pytest.mark.parametrize("group", [P6, P6M], ids=str)
def test_hexagons_turn_as_hexagons(group: PointGroup) -> None:
    """A frame at 60° is the network on moved cells, in the inscribed circle."""
    model, x = network(group), images(group)
    atlas = make_atlas(model, x, group, [0, 1])
    assert atlas.field == RegularMaps(group, 2)
    assert atlas.pixels.shape[-2:] == (17, 17)
    at = torch.arange(-8, 9)
    r, q = torch.meshgrid(at, at, indexing="ij")
    inside = (q**2 + q * r + r**2) <= 48  # (√3/2 · 8)²
    moved = HexMaps(group, 1).act(1, x * inside)
    wanted = model(moved).detach()[0]
    frame = atlas.pixels[0, 0, steps_of(group) // 6].double() - 128
    for channel in (0, 1):
        scale = float(frame[channel].abs().max() / wanted[channel].abs().max())
        assert float((frame[channel] - scale * wanted[channel]).abs().max()) < 1.5


def test_a_hexagon_is_drawn_by_its_nearest_cells() -> None:
    x = torch.rand(7, 7, generator=torch.Generator().manual_seed(0))
    found = cells_as_picture(x, 40)
    half = 3 * math.sqrt(3) / 2 + 0.5
    cells = [(q, r) for q in range(-3, 4) for r in range(-3, 4) if abs(q + r) <= 3]
    centres = torch.tensor([[q + r / 2, math.sqrt(3) / 2 * r] for q, r in cells])
    for row, column in ((20, 20), (3, 21), (35, 12), (20, 2)):
        at = (torch.tensor([column, row]) + 0.5) / 40 * 2 * half - half
        q, r = cells[int((centres - at).norm(dim=1).argmin())]
        assert found[row, column] == x[r + 3, q + 3]
    assert found[0, 0] == 0  # beyond the hexagon


@pytest.mark.parametrize("group", [SO2, O2], ids=str)
def test_pairs_of_channels_are_sent_as_pairs(group: CircleGroup) -> None:
    """And mixed and turned back at the quarter turns they stand still, of every frequency."""
    torch.manual_seed(0)
    irreps = "1x0o + 1x0e + 1x1 + 1x2" if group.has_mirror else "2x0 + 1x1 + 1x2"
    first = SteerableConv2d("1x0", "1x0 + 1x1 + 1x2", 5, padding=2, group=group)
    model = nn.Sequential(first, SteerableConv2d(first.out_field.irreps, irreps, 5, padding=2,
                                                 group=group))  # fmt: skip
    widget = RotateImage(model, SKY, channels=range(4), compare=PLAIN, compare_channels=[0])
    assert isinstance(widget.atlas.field, CircleMaps)
    assert widget.titles[0] == str(group)
    spec = widget._spec
    assert spec["frequencies"] == [0, 0, 1, 2]
    assert (spec["orientations"], spec["elements"]) == (2, [""])
    pixels = widget.atlas.pixels[0].double() - 128  # (M, T, C, 2, h, w)
    for channel, kind in enumerate(spec["kinds"]):
        table = torch.tensor(spec["unturns"][kind], dtype=torch.float64).view(-1, 72, 2, 2)
        for side in range(len(pixels)):
            for quarter in range(4):
                frame = pixels[side, 18 * quarter, channel]
                mixed = torch.einsum("ij,jhw->ihw", table[side, 18 * quarter], frame)
                back = torch.rot90(mixed, -quarter, (-2, -1))
                back = back.flip(-1) if side else back
                assert float((back - pixels[0, 0, channel]).abs().max()) <= 1.5
    assert widget.error() == 0
    widget.angle_deg = 90.0
    assert widget.error() < 2e-6
    json.dumps(spec, allow_nan=False)


def test_many_channels_of_one_kind_send_one_table() -> None:
    model = SteerableConv2d("1x0", "2x0 + 6x1", 5, padding=2)
    spec = RotateImage(model, SKY, channels=range(8))._spec
    assert spec["kinds"] == [0, 0, 1, 1, 1, 1, 1, 1]
    assert len(spec["unturns"]) == 2


@pytest.mark.parametrize(
    ("model", "x", "options", "words"),
    [
        (network(P6), SKY, {}, r"square image do. Resample it: to_hexagons\(image, radius=8\)"),
        (network(P6), torch.rand(1, 8, 8), {}, "acts on hexagons.*to_hexagons"),
        (S2Conv(1, 1, 8, 8), torch.rand(1, 1, 16, 16), {}, "SO3 acts on something else"),
        (network(Cyclic(8)), SKY, {"group": SO2}, "those of a point group. Give group="),
        (SteerableConv2d("1x0", "2x1", 3), SKY, {"channels": [2]}, r"channels 0 to 1; got .*\[2\]"),
    ],
)
def test_what_does_not_fit(
    model: nn.Module, x: Tensor, options: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        RotateImage(model, x, **options)


@pytest.mark.parametrize(
    ("group", "how", "words"),
    [
        (Cyclic(8), "padding", r"'padding' wants filters of square pixels.*has C8.*'bias'"),
        (P6, "slices", r"'slices' wants filters of square pixels \(P4, P4M\).*has P6"),
        (P6, "stride", r"'stride' wants square pixels.*'bias' or 'BatchNorm2d'"),
    ],
)
def test_what_cannot_be_broken_is_said_on_the_page(group: PointGroup, how: str, words: str) -> None:
    model = network(group)
    with pytest.raises(ValueError, match=words) as refused:
        broken(model, how)
    widget = RotateImage(model, images(group), channels=[0])
    whole = widget._maps
    widget.broken = how
    assert widget._spec["cause"] == f"not broken: {refused.value}"
    assert widget._maps == whole
    widget.broken = "bias"
    assert "order of the orientations" in widget._spec["cause"]
    assert widget._maps != whole
