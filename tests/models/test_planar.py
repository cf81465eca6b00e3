"""The papers' networks: sizes, invariance, and that P4, P4M and none share one text."""

from __future__ import annotations

import warnings

import pytest
import torch

from equivlab.groups import P4, P4M, SO2, CircleGroup, Cyclic, PointGroup
from equivlab.models import P4CNN, Z2CNN, DigitCNN, smooth_network
from tests.laws import BOUNDS, relative


def parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_parameter_counts_of_the_paper() -> None:
    """Cohen & Welling 2016, table 1: both networks have about 25,000 (24,795 and 21,990)."""
    assert parameters(P4CNN()) == pytest.approx(25_000, rel=0.05)
    assert parameters(Z2CNN()) == pytest.approx(21_990, rel=0.05)


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("group", [P4, P4M], ids=str)
@pytest.mark.parametrize("size", [28, 32])
def test_class_scores_do_not_change(group: PointGroup, size: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = P4CNN(group).to(dtype).eval()
    x = torch.randn(3, 1, size, size, dtype=dtype)
    for g in group.elements:
        assert relative(model(model.in_field.act(g, x)), model(x)) <= 2 * BOUNDS[dtype]


def test_the_plain_twin_does_change() -> None:
    torch.manual_seed(0)
    model, x = Z2CNN().eval(), torch.randn(3, 1, 28, 28)
    assert relative(model(P4.move(1, x)), model(x)) > 0.01


@pytest.mark.parametrize("group", [None, P4, P4M], ids=str)
def test_arguments(group: PointGroup | None) -> None:
    model = DigitCNN(group, in_channels=3, classes=5, width=4, dropout=0.2)
    assert model(torch.randn(2, 3, 30, 30)).shape == (2, 5)
    assert sum(isinstance(m, torch.nn.Dropout) for m in model.modules()) == 5


@pytest.mark.parametrize("group", [None, P4, Cyclic(8), SO2], ids=str)
def test_pixels_are_halved_where_one_wants(group: PointGroup | CircleGroup | None) -> None:
    """Without halvings the scores are maps of all pixels, or of those that filters leave."""
    torch.manual_seed(0)
    usual, fine = DigitCNN(group, width=1), DigitCNN(group, width=1, halve_after=())
    x = torch.rand(2, 1, 28, 28)
    assert parameters(fine) == parameters(usual)
    sizes = [model.features(x).shape[-1] for model in (usual, fine)]
    assert sizes == {"None": [1, 13], "P4": [1, 13], "C8": [7, 28], "SO2": [14, 28]}[str(group)]
    if group is not None:
        fine.double().eval()
        turned = torch.rot90(x.double(), 1, (-2, -1))
        assert relative(fine(turned), fine(x.double())) < 1e-12
    with pytest.raises(ValueError, match=r"layers 1 to 6; halve_after has \[7\]"):
        DigitCNN(group, halve_after=(2, 7))


@pytest.mark.parametrize("group", [None, P4], ids=str)
@pytest.mark.parametrize(
    ("halve_after", "least"), [(None, 28), ((), 16), ((1,), 30), ((3, 1), 50), ((2, 2), 28)]
)
def test_too_small_an_image_is_refused(
    group: PointGroup | None, halve_after: tuple[int, ...] | None, least: int
) -> None:
    model = DigitCNN(group, width=1, halve_after=halve_after).eval()
    assert model(torch.randn(1, 1, least, least + 1)).shape == (1, 10)
    with pytest.raises(ValueError, match=rf"takes images of {least} pixels a side or more; got"):
        model(torch.randn(1, 1, least, least - 1))


def test_nothing_of_that_stands_in_a_trace() -> None:
    model, x = DigitCNN(None, width=1).eval(), torch.randn(2, 1, 28, 28)
    with warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)
        traced = torch.jit.trace(model, x)
    assert torch.equal(traced(x), model(x))


@pytest.mark.parametrize("group", [None, P4, P4M], ids=str)
def test_smooth_network_is_near_the_law_between_quarter_turns(group: PointGroup | None) -> None:
    from equivlab import audit
    from equivlab.data import sky_images

    report = audit(smooth_network(group), sky_images(2), group or P4, angles=8)
    errors = report.curve.set_index("angle_deg")["error"]
    if group is None:
        assert errors[90.0] > 0.5
    else:
        assert report.max_error < 2e-6
        assert 0.05 < errors[45.0] < 0.2
