"""RotateShape's Python side: what is computed, sent and said."""

from __future__ import annotations

import base64
import json
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from equivlab.data import furniture, tetris_points
from equivlab.fields import IrrepMaps, IrrepPoints
from equivlab.fields.irreps import degree_matrix, harmonics
from equivlab.models import PointNetwork
from equivlab.nn import IrrepGate, SteerableConv3d
from equivlab.so3 import SO3
from equivlab.widgets import RotateShape
from equivlab.widgets.shape.glyphs import GLYPH, glyphs_of, limits_of, strongest
from equivlab.widgets.shape.inputs import as_shapes
from equivlab.widgets.shape.places import places_of
from equivlab.widgets.shape.poses import poses_of, quaternions_of, rotation_of
from equivlab.widgets.shape.probe import Probe, resampling_errors
from equivlab.widgets.shape.rotate_shape import LEVELS


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def steerable() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gate = IrrepGate("2x0e + 2x1o + 2x2e")
        return nn.Sequential(SteerableConv3d("1x0e", gate.irreps_in, 5, padding=2), gate)


def plain(channels: int = 3) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Conv3d(1, channels, 5, padding=2)


@pytest.fixture(scope="module")
def grids() -> Tensor:
    return furniture(2, size=14).x


@pytest.fixture(scope="module")
def widget(grids: Tensor) -> RotateShape:
    return RotateShape(steerable(), grids, plain(), compare_irreps="1x1o", places=30, turns=8)


def test_errors_are_zero_for_the_cube_and_near_resampling_between(widget: RotateShape) -> None:
    model, other = widget.views
    quarter = [0, 2, 4, 6]  # of the upright turns
    for n in range(2):
        assert model.errors[n].shape == (24,)
        assert float(model.errors[n][quarter].max()) < 2e-6
        assert float(other.errors[n][quarter[1:]].min()) > 0.3
        assert float(widget.baselines[n][quarter].max()) < 1e-6
        between = model.errors[n][[1, 3, 9, 11]]
        assert 0.01 < float(between.max()) < 1.5 * float(widget.baselines[n].max())
    assert widget.error() < 1e-12


def test_features_are_the_network_on_the_turned_shape(grids: Tensor) -> None:
    """In the places, which turn along, against a direct call at a rotation of the cube."""
    model, R = steerable(), SO3.cube_rotations()[9]
    places = places_of(grids[:1], 20)
    found = Probe(model, [grids[:1]], [places]).read(0, R[None])
    field = IrrepMaps("1x0e")
    maps = model(field.act(R, grids[:1]))[0].detach()
    x, y, z = (places @ R.T + 6.5).round().long().T
    assert torch.allclose(found.features[0], maps[:, z, y, x].double(), atol=1e-5)
    assert float(found.errors) < 2e-6
    assert float(Probe(plain(), [grids[:1]], [places]).read(0, R[None]).errors) > 0.3


def test_points_turn_exactly_through_a_whole_network() -> None:
    clouds = furniture(2, "points", points=60).x
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = PointNetwork(classes=3, cutoff=0.8, layers=2)
    widget = RotateShape(model, clouds, layer="gates.1", places=20, turns=4)
    assert widget.kind == "points"
    assert widget.views[0].probe.field == IrrepPoints("16x0e+8x1o+4x2e")
    for errors in widget.views[0].errors:
        assert float(errors.max()) < 1e-5
    widget.rotation, widget.shape = [0.3, 0.5, -0.2, 0.7], 1
    assert 0 < widget.error() < 1e-5
    assert widget._spec["views"][0]["shown"] == ["colour", "arrows", "ellipsoids"]


def test_drawn_arrows_and_ellipsoids_turn_as_the_features_do() -> None:
    """A closed form: the features are the harmonics of a direction, which turns."""
    p = nn.functional.normalize(torch.randn(7, 3, generator=seeded(), dtype=torch.float64), dim=1)
    R = SO3.from_zyz(0.4, 1.0, -2.0)
    features = torch.cat([torch.ones(7, 1).double(), harmonics(1, p), harmonics(2, p)], 1).T[None]
    chosen = [slice(0, 1), slice(1, 4), slice(4, 9)]
    glyphs = glyphs_of(features, chosen)[0]
    assert torch.allclose(glyphs[:, 1:4], math.sqrt(3) * p)  # Y₁ is √3·p
    S = symmetric(glyphs[:, 4:])
    assert torch.allclose(S.diagonal(dim1=1, dim2=2).sum(1), torch.zeros(7).double(), atol=1e-9)
    q = nn.functional.normalize(torch.randn(7, 3, generator=seeded(1)).double(), dim=1)
    wanted = (harmonics(2, p) * harmonics(2, q)).sum(1)
    assert torch.allclose(torch.einsum("ni,nij,nj->n", q, S, q), wanted)
    turned = features.clone()
    for degree, cut in ((1, chosen[1]), (2, chosen[2])):
        turned[0, cut] = degree_matrix(degree, R) @ features[0, cut]
    after = glyphs_of(turned, chosen)[0]
    assert torch.allclose(after[:, 1:4], glyphs[:, 1:4] @ R.T)
    assert torch.allclose(symmetric(after[:, 4:]), R @ S @ R.T, atol=1e-9)
    limits = limits_of(glyphs)
    assert float(limits[1]) == pytest.approx(math.sqrt(3))
    assert float(limits[2]) == pytest.approx(float(torch.linalg.eigvalsh(S).abs().max()))


def symmetric(entries: Tensor) -> Tensor:
    i, j = torch.triu_indices(3, 3)
    S = entries.new_zeros(len(entries), 3, 3)
    S[:, i, j] = S[:, j, i] = entries
    return S


def test_the_feature_that_varies_most_is_shown() -> None:
    from e3nn import o3

    rest = torch.zeros(1, 9, 5, dtype=torch.float64)
    rest[0, 0] = 7.0  # large, but the same everywhere
    rest[0, 1] = torch.arange(5)
    rest[0, 5:8] = 1.0
    assert strongest(o3.Irreps("2x0e + 2x1o + 1x0e"), [rest[:, :9]])[0] == slice(1, 2)
    assert strongest(o3.Irreps("2x0e + 2x1o + 1x0e"), [rest])[1] == slice(5, 8)
    assert strongest(o3.Irreps("9x0e"), [rest])[1:] == [None, None]
    assert strongest(o3.Irreps("1x0e + 1x1o + 1x2e"), [rest])[2] == slice(4, 9)


def test_other_channels_are_paged_by_their_strength(grids: Tensor) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = SteerableConv3d("1x0e", "3x0e + 2x1o", 3, padding=1)
    widget = RotateShape(layer, grids[:1], places=10, turns=2)
    assert widget.pages == 3
    view, first = widget.views[0], widget._atlas
    rest = view.probe.rest[0][0]
    spread = rest[:3].var(1, correction=0)
    assert [cut.start for cut in view.ranks[0]] == spread.argsort(descending=True).tolist()
    for page, shown in ((1, ["colour", "arrows"]), (2, ["colour"])):
        widget.page = page
        assert widget._shown == {"page": page, "views": [shown]}
        assert len(widget._atlas) == len(first)
        assert widget._atlas != first
    question = {"shape": 0, "rotation": [1, 0, 0, 0]}
    _, [third] = widget.ask({**question, "page": 2}, [])
    assert not np.frombuffer(third, np.int16).reshape(-1, GLYPH)[:, 1:].any()
    _, [again] = widget.ask({**question, "page": 0}, [])
    widget.page = 0
    assert widget._atlas == first
    assert first.startswith(again)
    wide = RotateShape(plain(250), grids[:1], places=10, turns=2)
    assert wide.pages == 250
    assert len(wide._atlas) == len(first)


def test_what_is_sent_is_what_the_page_reads(widget: RotateShape) -> None:
    spec = widget._spec
    assert spec["counts"] == [30, 30]
    assert len(spec["poses"]) == 24
    assert len(widget._places) == 60 * 3 * 4
    assert len(widget._drawn) == 2 * 14**3
    assert len(widget._atlas) == len(widget._compare_atlas) == 60 * 24 * GLYPH * 2
    assert len(widget._colours) == 256 * 3
    assert [view["shown"] for view in spec["views"]] == [
        ["colour", "arrows", "ellipsoids"],
        ["arrows"],
    ]
    json.dumps(spec, allow_nan=False)
    numbers = np.frombuffer(widget._atlas, dtype=np.int16)
    assert np.abs(numbers).max() == LEVELS
    sent = torch.from_numpy(numbers.reshape(2, 24, 30, GLYPH)[0, 5].astype(float)) / LEVELS
    wanted = widget.views[0].glyphs(0, widget.poses[5])
    assert float((sent - wanted).abs().max()) <= 1 / LEVELS


def test_the_budget_of_voxels() -> None:
    """A stride that misses the last voxel is the grid's at a turn of the cube."""
    torch.manual_seed(0)
    layer = SteerableConv3d("1x0e", "1x0e + 1x1o", 3, stride=2, padding=1)
    wrong = RotateShape(layer, torch.rand(1, 1, 8, 8, 8), places=8, turns=4)
    wrong.rotation = [0.5**0.5, 0.0, 0.0, 0.5**0.5]
    (budget,) = wrong.budgets()
    assert float(budget.total) == pytest.approx(wrong.error(), abs=1e-6)
    assert float(budget.grid) > 0.1
    assert float(budget.interpolation) < 1e-6
    reply, _ = wrong.ask({"shape": 0, "rotation": wrong.rotation}, [])
    assert reply["shares"][0] == pytest.approx(budget.shares().tolist(), abs=1e-6)
    spec = wrong._spec["views"][0]
    for errors, shares in zip(spec["errors"], spec["shares"], strict=True):
        assert [sum(one) for one in shares] == pytest.approx(errors, abs=1e-6)


def test_the_kernel_answers_one_rotation(widget: RotateShape) -> None:
    q = [0.4, 0.1, -0.8, 0.3]
    reply, parts = widget.ask({"shape": 1, "rotation": q}, [])
    assert len(parts) == 2
    glyphs = torch.from_numpy(np.frombuffer(parts[0], np.int16).astype(float)).view(30, GLYPH)
    wanted = widget.views[0].glyphs(1, rotation_of(q))
    assert float((glyphs / LEVELS - wanted).abs().max()) <= 1 / LEVELS
    widget.shape, widget.rotation = 1, q
    assert reply["errors"][0] == pytest.approx(widget.error(), abs=1e-7)
    assert reply["baseline"] == pytest.approx(
        float(resampling_errors(widget.shapes[1], widget.spots[1], rotation_of(q)[None])), abs=1e-7
    )
    widget.shape, widget.rotation = 0, [1.0, 0.0, 0.0, 0.0]
    trouble, _ = widget.ask({"shape": 0, "rotation": [0, 0, 0, 0]}, [])
    assert trouble["problem"] == (
        "ValueError: A rotation is a quaternion [w, x, y, z]; got [0, 0, 0, 0]. Nothing turned is "
        "[1, 0, 0, 0]."
    )


def test_quaternions_and_matrices_agree() -> None:
    R = torch.cat([SO3.random_elements(30, seeded()), SO3.cube_rotations(), poses_of(6)])
    q = quaternions_of(R)
    assert torch.allclose(torch.linalg.vector_norm(q, dim=1), torch.ones(len(R)).double())
    for one, wanted in zip(q.tolist(), R, strict=True):
        assert torch.allclose(rotation_of(one), wanted, atol=1e-9)
        assert torch.allclose(rotation_of([-2 * v for v in one]), wanted, atol=1e-9)
    assert len(poses_of(0)) == 1
    with pytest.raises(ValueError, match=r"a quaternion \[w, x, y, z\]; got \[1, nan"):
        rotation_of([1, math.nan, 0, 0])


def test_mime_bundle_and_repr(widget: RotateShape) -> None:
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == repr(widget)
    assert repr(widget) == (
        "RotateShape(2 shapes of voxels, SE(3), beside plain CNN, 24 rotations, 0.1 MB)"
    )
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in data


def test_the_same_model_gives_the_same_widget(grids: Tensor) -> None:
    pair = [RotateShape(steerable(), grids[:1], places=10, turns=4) for _ in range(2)]
    assert pair[0]._atlas == pair[1]._atlas
    assert pair[0]._spec == pair[1]._spec


def test_layers_modes_and_smaller_grids(grids: Tensor) -> None:
    model = nn.Sequential(steerable(), nn.Dropout(0.9))
    widget = RotateShape(model, grids[0], layer="0.1", places=10, turns=0)
    assert widget.views[0].probe.field == IrrepMaps("2x0e+2x1o+2x2e")
    assert model.training
    assert len(widget.poses) == 1
    halved = nn.Sequential(nn.AvgPool3d(2), nn.Conv3d(1, 1, 1))
    R = SO3.cube_rotations()[4]
    small = RotateShape(halved.double(), grids[0], places=10, turns=0)
    assert float(small.views[0].probe.read(0, R[None]).errors) < 1e-12


def test_places_spread_over_the_shape(grids: Tensor) -> None:
    places = places_of(grids[:1], 25)
    assert places.shape == (25, 3)
    assert torch.equal(places, places_of(grids[:1], 25))
    x, y, z = (places + 6.5).long().T
    assert float(grids[0, 0, z, y, x].min()) > 0.2
    everywhere = torch.nonzero(grids[0, 0] > 0.3).flip(1).double() - 6.5
    reach = torch.cdist(everywhere, places).amin(1)
    assert float(reach.max()) < 4
    assert places_of(torch.rand(5, 3), 25).tolist() == [0, 1, 2, 3, 4]


ACCEPTED = [
    (torch.ones(2, 1, 5, 5, 5), "voxels", 2, (1, 1, 5, 5, 5)),
    (np.ones((2, 5, 5, 5), dtype=np.uint8), "voxels", 2, (1, 1, 5, 5, 5)),
    (torch.ones(5, 5, 5), "voxels", 1, (1, 1, 5, 5, 5)),
    ([torch.ones(5, 5, 5), torch.ones(1, 1, 6, 6, 6)], "voxels", 2, (1, 1, 5, 5, 5)),
    (torch.ones(4, 3), "points", 1, (4, 3)),
    (torch.ones(2, 4, 3), "points", 2, (4, 3)),
    ([torch.ones(4, 3), torch.ones(9, 3)], "points", 2, (4, 3)),
    (tetris_points(), "points", 8, (4, 3)),
]


@pytest.mark.parametrize(("given", "kind", "count", "shape"), ACCEPTED)
def test_shapes_that_are_taken(
    given: object, kind: str, count: int, shape: tuple[int, ...]
) -> None:
    found, each = as_shapes(given)
    assert (found, len(each), each[0].shape) == (kind, count, shape)


def test_bytes_become_fractions() -> None:
    assert float(as_shapes(np.full((5, 5, 5), 255, np.uint8))[1][0].max()) == 1
    assert float(as_shapes(np.full((5, 5, 5), 1, np.uint8))[1][0].max()) == 1


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ([], ValueError, "got an empty list"),
        (torch.zeros(0, 4, 3), ValueError, r"got none: \(0, 4, 3\)"),
        (torch.ones(1, 1, 4, 4, 5), ValueError, r"got \(1, 1, 4, 4, 5\). Pad grids to cubes"),
        ([torch.ones(5, 5, 5), torch.ones(4, 3)], ValueError, "both voxels and clouds"),
        (torch.full((4, 3), math.nan), ValueError, r"shape 0 has NaN .*nan_to_num"),
        (torch.zeros(5, 5, 5), ValueError, "Shape 0 is empty: nothing in it could turn"),
        (torch.ones(7), ValueError, r"got \(7,\)"),
        ("chair.off", TypeError, "got str"),
    ],
)
def test_shapes_that_are_refused(given: object, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        as_shapes(given)


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        (steerable(), {"layer": "9"}, "no layer '9'. It has: 0, 1"),
        (nn.Flatten(), {}, r"on voxels \(B, C, D, D, D\); got \(1, 2744\). Give layer="),
        (plain(4), {"irreps": "1x1o"}, "1x1o, which are 3 channels; the layer gives 4"),
        (plain(3), {"irreps": "1x1q"}, "takes irreps such as"),
    ],
)
def test_what_cannot_be_shown(
    model: nn.Module, options: dict[str, object], words: str, grids: Tensor
) -> None:
    with pytest.raises(ValueError, match=words):
        RotateShape(model, grids[:1], places=5, turns=0, **options)


def test_points_that_cannot_be_shown() -> None:
    cloud = torch.rand(6, 3, generator=seeded())
    with pytest.raises(ValueError, match=r"on points \(N, C\), here \(6, C\); got \(18,\)"):
        RotateShape(nn.Flatten(0), cloud, turns=0)
    with pytest.raises(ValueError, match=r"got \(1, 2\). Give layer=.*gates.0"):
        RotateShape(PointNetwork(classes=2, cutoff=2.0, layers=1), cloud, turns=0)
    with pytest.raises(ValueError, match="finds no PointConv in IrrepGate"):
        RotateShape(IrrepGate("1x0e", IrrepPoints), cloud, turns=0)


def test_a_single_point_and_a_shape_in_a_corner() -> None:
    model = PointNetwork(classes=2, cutoff=2.0, layers=1)
    one = RotateShape(model, torch.ones(1, 3), layer="gates.0", turns=0)
    assert len(one.spots[0]) == 1
    assert one.error() < 1e-6
    corner = torch.zeros(7, 7, 7)
    corner[0, 0, 0] = 1
    assert RotateShape(plain(), corner, turns=2).positions[0].tolist() == [[-6 / 7] * 3]


def test_too_much_to_send(grids: Tensor) -> None:
    with pytest.raises(ValueError, match=r"600 shapes at 72 rotations make \d+ MB.*Give fewer"):
        RotateShape(plain(), grids[:1].expand(600, -1, -1, -1, -1))
