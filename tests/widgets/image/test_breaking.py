"""Networks broken on purpose: the law fails, `audit` names the cause, RotateImage shows both."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from traitlets import TraitError

from equivlab import audit
from equivlab.groups import P4, P4M, PointGroup
from equivlab.models import P4CNN, smooth_network
from equivlab.widgets import RotateImage, broken
from equivlab.widgets.breaking import WAYS

CAUSES = {
    "stride": ("0: stride 2 with kernel 9", "stops 1 short of the edge"),
    "padding": ("0: padding='same' with kernel_size=8", "one side more"),
    "bias": ("0.1: ", "the order of the orientations"),
    "BatchNorm2d": ("0.1: ", "Use GroupBatchNorm"),
    "slices": ("2: ", "the order of the orientations"),
}
X = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("group", [P4, P4M], ids=str)
@pytest.mark.parametrize("how", WAYS)
def test_audit_names_what_was_broken(group: PointGroup, how: str) -> None:
    whole = smooth_network(group)
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    report = audit(broken(whole, how), X, group, angles=0)
    assert report.max_error > 0.05
    for words in CAUSES[how]:
        assert words in report.cause
    assert len(report.causes) == 1
    assert audit(whole, X, group, angles=0).max_error < 1e-5
    assert all(torch.equal(before[name], value) for name, value in whole.state_dict().items())


def test_slices_are_broken_where_orientations_come_in() -> None:
    """The same numbers for an input whose orientations are all the same."""
    network = P4CNN().eval()
    layer, wrong = network.features[3], broken(network, "slices").features[3]
    x = torch.rand(2, 10, 1, 12, 12).expand(-1, -1, 4, -1, -1)
    assert torch.allclose(layer(x), wrong(x), atol=1e-6)
    assert not torch.allclose(layer(x * torch.arange(4.0)[:, None, None]), wrong(x), atol=1e-2)


@pytest.mark.parametrize(
    ("model", "how", "words"),
    [
        (smooth_network(P4), "luck", "how is one of stride, padding, .*got 'luck'"),
        (nn.Conv2d(1, 1, 3), "bias", "no LiftingConv2d or GroupConv2d in Conv2d"),
        (smooth_network(P4)[0], "slices", "no GroupConv2d in LiftingConv2d"),
    ],
)
def test_what_cannot_be_broken(model: nn.Module, how: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        broken(model, how)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_the_budget_names_what_was_broken() -> None:
    """At a quarter turn nothing is resampled: the step and the padding are the grid's."""
    widget = RotateImage(smooth_network(P4), X, channels=[0], breakable=True)
    assert widget.breakable
    shares = {}
    for how in ("", *WAYS):
        widget.broken, widget.angle_deg = how, 90.0
        shares[how] = widget.budget().shares().tolist()
        assert sum(shares[how]) == pytest.approx(widget.error(), abs=1e-6)
        widget.angle_deg = 45.0
        interpolation, grid, _ = widget.budget().shares()
        most = min(float(widget.baseline[0, 0, 9]), widget.error() - float(grid))
        assert float(interpolation) == pytest.approx(most, abs=1e-6)
        assert most > 0.01
    assert shares[""] == pytest.approx([0, 0, 0], abs=1e-5)
    for how in ("stride", "padding"):
        assert shares[how] == pytest.approx([0, sum(shares[how]), 0], abs=1e-5)
    for how in ("bias", "BatchNorm2d", "slices"):
        assert shares[how] == pytest.approx([0, 0, sum(shares[how])], abs=1e-5)
    with pytest.raises(ValueError, match="no network beside"):
        widget.budget(compare=True)


def test_the_widget_breaks_and_mends_its_network() -> None:
    widget = RotateImage(smooth_network(P4), X, channels=[0])
    assert not widget.breakable
    whole, spec = widget._maps, widget._spec
    widget.angle_deg = 90.0
    assert widget.error() < 1e-5
    widget.broken = "stride"
    assert widget._spec["cause"].startswith("0: stride 2")
    assert (widget._spec["broken"], widget._spec["side"]) == ("stride", 12)
    assert widget.error() > 0.05
    assert len(widget._maps) == len(whole) // 4
    widget.broken = ""
    assert widget._maps == whole
    assert widget._spec == spec
    with pytest.raises(TraitError, match="broken"):
        widget.broken = "luck"
