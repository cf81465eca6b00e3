"""Maps in a disc: which pixels stay, and what that does to turns by 45°."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from equivlab.fields import CircleIrreps, CircleMaps, Invariant, RegularMaps, ScalarMaps
from equivlab.groups import P4, P6, SO2, Cyclic
from equivlab.models import DigitCNN
from equivlab.nn import DiscMask
from tests.laws import relative
from tests.nn.oracles import oracle_of


@oracle_of(DiscMask)
@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (9, 9), (7, 12), (1, 1)])
@pytest.mark.parametrize(("margin", "rim"), [(1.0, 2.0), (0.0, 0.5), (-3.0, 1.0)])
def test_each_pixel_by_its_distance(rows: int, columns: int, margin: float, rim: float) -> None:
    x = torch.rand(2, 3, rows, columns, dtype=torch.float64)
    shown = DiscMask(ScalarMaps(P4, 3), margin, rim)(x)
    for i in range(rows):
        for j in range(columns):
            distance = math.hypot(i - (rows - 1) / 2, j - (columns - 1) / 2)
            part = (min(rows, columns) / 2 - margin - distance) / rim + 0.5
            wanted = x[..., i, j] * min(1.0, max(0.0, part))
            assert torch.allclose(shown[..., i, j], wanted, rtol=0, atol=1e-6)


def test_on_hexagons_it_is_their_inscribed_circle() -> None:
    """Cells by their places in the plane: the corners go, the middles of the edges stay in part."""
    radius, mask = 6, DiscMask(ScalarMaps(P6, 1), margin=0.0, rim=1.0)
    field = mask.in_field
    shown = mask(field.mask(torch.ones(1, 1, 13, 13, dtype=torch.float64)))[0, 0]
    inside = field.mask(torch.ones(1, 1, 13, 13))[0, 0]
    for i in range(13):
        for j in range(13):
            q, r = i - radius, j - radius
            distance = math.hypot(q + r / 2, r * math.sqrt(0.75))
            part = math.sqrt(0.75) * radius + 0.5 - distance + 0.5
            wanted = float(inside[i, j]) * min(1.0, max(0.0, part))
            assert float(shown[i, j]) == pytest.approx(wanted, abs=1e-6)
    assert shown[0, radius] < 0.2  # a corner
    assert shown.max() == 1


def test_dtypes_and_devices_are_those_of_the_maps() -> None:
    mask = DiscMask(RegularMaps(Cyclic(8), 2))
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert mask(torch.ones(1, 2, 8, 9, 9, dtype=dtype)).dtype is dtype
    assert mask(torch.ones(1, 2, 8, 9, 9, device="meta")).is_meta


@pytest.mark.filterwarnings("ignore")
def test_a_trace_takes_maps_of_another_size() -> None:
    mask = DiscMask(RegularMaps(Cyclic(8), 1))
    traced = torch.jit.trace(mask, torch.rand(1, 1, 8, 9, 9))
    x = torch.rand(2, 1, 8, 12, 14)
    assert torch.equal(traced(x), mask(x))


def test_bad_arguments() -> None:
    with pytest.raises(TypeError, match="takes a field of planar maps; got Invariant"):
        DiscMask(Invariant(P4, 3))  # type: ignore[arg-type]
    for margin, rim in ((1.0, 0.0), (1.0, -1.0), (float("nan"), 1.0), (0.0, float("inf"))):
        with pytest.raises(ValueError, match="rim takes pixels to fall"):
            DiscMask(ScalarMaps(P4, 1), margin, rim)
    with pytest.raises(ValueError, match="an ordinary network has none"):
        DigitCNN(None, disc=True)


def off(model: torch.nn.Module, x: Tensor, turned: Tensor) -> float:
    with torch.no_grad():
        scores = model(x)
        return float((model(turned) - scores).norm() / (scores - scores.mean(0)).norm())


@pytest.mark.parametrize("group", [Cyclic(8), SO2], ids=str)
def test_scores_follow_a_turn_by_45_degrees_better(group: object) -> None:
    """Of pictures that end at the circle; the filters see the frame beyond."""
    field = ScalarMaps(P4, 1)
    noise = torch.randn(12, 1, 44, 44, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1)
    smooth = torch.nn.functional.avg_pool2d(smooth, 5, 1)[..., 4:-4, 4:-4]  # 28²
    x = DiscMask(field, margin=2.0, rim=4.0)(10 * smooth)
    turned = field.rotate(math.pi / 4, x, mode="bicubic")
    errors = []
    for disc in (False, True):
        torch.manual_seed(0)
        model = DigitCNN(group, width=3, disc=disc)  # type: ignore[arg-type]
        model(x)  # the norms' statistics
        errors.append(off(model.eval(), x, turned))
    assert errors[1] < errors[0]


def test_circles_have_one_too() -> None:
    field = CircleMaps(CircleIrreps.parse("2x0 + 1x1", SO2))
    x = torch.rand(1, 4, 9, 9, dtype=torch.float64)
    mask = DiscMask(field)
    quarter = math.pi / 2
    assert relative(mask(field.rotate(quarter, x)), field.rotate(quarter, mask(x))) < 1e-12
    assert torch.equal(mask(x)[0, 0, 0, 0], torch.zeros((), dtype=torch.float64))
