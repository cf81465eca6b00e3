"""Networks on hexagons: scores that no element changes, sizes, and the tools of transfer."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

from equivlab import audit
from equivlab.fields import HexMaps
from equivlab.groups import P4, P6, P6M, SO2, Cyclic, PointGroup
from equivlab.models import P4CNN, DigitCNN, ResNet18, UNet, smooth_network
from equivlab.nn import (
    GroupBatchNorm,
    GroupConv2d,
    GroupMaxPool2d,
    InvariantReadout,
    LiftingConv2d,
)
from equivlab.transfer import freeze, from_plain, renew_norms, replace_head, stages, to_plain
from tests.laws import relative, sample

TO_ROUNDING = {torch.float32: 2e-6, torch.float64: 1e-12}
PLAIN = PointGroup("hexagons alone", 1, False, "hexagonal")
GROUPS = pytest.mark.parametrize("group", [P6, P6M], ids=str)


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def trained(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """With statistics and biases that are not those of a new one."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in model.parameters():
            if value.dim() == 1:
                value += torch.rand(value.shape, generator=generator).to(value)
        model.train()(x)
    return model.eval()


def built(name: str, group: PointGroup, dtype: torch.dtype) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    model = DigitCNN(group, width=2) if name == "digits" else ResNet18(group, width=6, stem="small")
    x = sample(HexMaps(group, 1), 29 if name == "digits" else 15, dtype)
    return trained(model.to(dtype), x), x


@pytest.mark.parametrize("dtype", TO_ROUNDING, ids=str)
@GROUPS
@pytest.mark.parametrize("name", ["digits", "residual"])
@torch.no_grad()
def test_scores_do_not_change(name: str, group: PointGroup, dtype: torch.dtype) -> None:
    """On a radius of 7 too, which strides do not divide; and `to_plain` gives the same."""
    model, x = built(name, group, dtype)
    scores = model(x)
    for g in group.elements:
        assert relative(model(model.in_field.act(g, x)), scores) <= TO_ROUNDING[dtype]
    assert relative(model(x - 0.5), model(x - 0.5 * (x != 0))) <= 1e-5  # nothing outside counts
    plain = to_plain(model)
    assert relative(plain(x), scores) <= TO_ROUNDING[dtype]
    assert relative(plain(x - 0.5), model(x - 0.5)) <= TO_ROUNDING[dtype]
    assert not any(type(m).__module__.startswith("equivlab") for m in plain.modules())


@GROUPS
@pytest.mark.parametrize("size", [11, 13])
@torch.no_grad()
def test_segmentations_turn_with_the_image(group: PointGroup, size: int) -> None:
    torch.manual_seed(0)
    model = UNet(group, classes=2, width=6, levels=3, dtype=torch.float64)
    x = sample(model.in_field, size)
    maps = trained(model, x)(x)
    assert isinstance(model.out_field, HexMaps)
    assert torch.equal(model.out_field.mask(maps), maps)
    for g in group.elements:
        turned = model(model.in_field.act(g, x))
        assert relative(turned, model.out_field.act(g, maps)) <= 1e-12


def test_an_ordinary_copy_needs_no_equivlab() -> None:
    """It can be pickled, and used at another radius."""
    model, x = built("digits", P6, torch.float32)
    plain = to_plain(model)
    assert b"equivlab.nn" not in pickle.dumps(plain)
    larger = sample(model.in_field, 33, torch.float32)
    assert relative(plain(larger), model(larger)) <= 2e-6
    assert relative(copy.deepcopy(plain)(x), model(x)) <= 2e-6


def test_norms_without_statistics_have_no_ordinary_copy() -> None:
    layer = GroupBatchNorm(P6, 2, track_running_stats=False)
    with pytest.raises(TypeError, match=r"no twin in torch\.nn, whose norms would count"):
        to_plain(layer)


def test_sizes() -> None:
    """As many parameters as on squares: 22 to 25 thousand, and those of ResNet-18 to 2 %."""
    assert parameters(P4CNN(P6)) == 22770
    assert parameters(P4CNN(P6M)) == 22035
    whole = parameters(ResNet18(None, device="meta"))
    for group in (P6, P6M):
        assert parameters(ResNet18(group, device="meta")) == pytest.approx(whole, rel=0.02)


def shallow(group: PointGroup) -> tuple[nn.Module, torch.Tensor]:
    """One layer of each kind, on a radius of 6."""
    torch.manual_seed(0)
    model = nn.Sequential(
        LiftingConv2d(group, 1, 2, 3, padding=1),
        GroupBatchNorm(group, 2),
        nn.Sigmoid(),
        GroupMaxPool2d(group, 2, 3, 2, 1),
        GroupConv2d(group, 2, 2, 5),
        InvariantReadout(group, 2),
    )
    x = sample(HexMaps(group, 1), 13, torch.float32)
    return trained(model, x), x


@GROUPS
def test_the_audit_finds_nothing(group: PointGroup) -> None:
    """Nor in what a sigmoid leaves outside."""
    model, x = shallow(group)
    report = audit(model, x, group, angles=12)
    assert report.max_error <= 2e-6
    assert report.cause == "Equivariant to rounding."
    thirty, sixty = report.curve.iloc[1], report.curve.iloc[2]
    assert sixty["angle_deg"] == pytest.approx(60)
    assert sixty["error"] <= 2e-6 < 1e-3 < thirty["error"]
    assert sixty["baseline"] == 0 < thirty["baseline"]
    assert report.table.loc["0", "field"] == "RegularMaps"


def test_the_audit_knows_turns_from_mirrors() -> None:
    """P6's turns are elements of P6M; its mirrors P6 does not keep."""
    model, x = shallow(P6)
    causes = audit(model, x, P6M, angles=0).causes
    assert causes
    assert all("Build the network with P6M." in cause for cause in causes)
    mirrored, x = shallow(P6M)
    assert audit(mirrored, x, P6, angles=0).max_error <= 2e-6


def test_the_audit_accuses_square_windows() -> None:
    x = sample(HexMaps(P6, 1), 13, torch.float32)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 1, 1))
    causes = audit(net, x, P6, angles=0).causes
    assert [cause[0] for cause in causes] == ["0", "2"]
    assert all("squares of the array, which no turn by 60° maps" in cause for cause in causes)


@pytest.mark.parametrize(("mine", "asked"), [(P6, P4), (P4, P6)])
def test_the_audit_refuses_another_lattice(mine: PointGroup, asked: PointGroup) -> None:
    model = nn.Sequential(LiftingConv2d(mine, 1, 2, 3))
    with pytest.raises(ValueError, match=rf"different lattices.*audit\(model, x, {mine}\)"):
        audit(model, torch.zeros(1, 1, 9, 9), asked, angles=0)


def test_the_tools_of_transfer() -> None:
    model, x = built("residual", P6M, torch.float32)
    assert list(stages(model))[-1] == "head"
    assert renew_norms(model, [(x,)])
    frozen = freeze(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    replace_head(model, 5)
    model.train()(x).square().mean().backward()
    assert model.out_field.channels == 5
    assert frozen
    for name, value in model.state_dict().items():
        assert name.startswith("fc") or torch.equal(value, before[name])


def test_the_trivial_group_is_an_ordinary_network_on_hexagons() -> None:
    """Every pair of numbers 7 cells; from it `from_plain` makes no group network: it says why."""
    torch.manual_seed(0)
    model = DigitCNN(PLAIN, width=4).eval()
    x = sample(model.in_field, 29, torch.float32)
    assert model.features[3].weight.shape == (4, 4, 7)
    assert relative(model(P6.move(1, x)), model(x)) > 1e-3
    for group, words in ((P6, "cells of hexagons"), (Cyclic(8), "harmonics"), (SO2, "harmonics")):
        model = DigitCNN(group, width=2)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        with pytest.raises(ValueError, match=rf"the filters of features\.0 are made of {words}"):
            from_plain(DigitCNN(None, width=12), model)
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"to_hexagons\(image, radius=14\)"):
        P4CNN(P6)(torch.zeros(1, 1, 28, 28))
    with pytest.raises(ValueError, match=r"radius 13 .*Use a radius of 12 or 14"):
        P4CNN(P6)(torch.zeros(1, 1, 31, 31))
    with pytest.raises(ValueError, match=r"ResNet18\(P6\) takes .*to_hexagons"):
        ResNet18(P6, width=8)(torch.zeros(1, 1, 32, 32))
    with pytest.raises(ValueError, match="square pixels, for P4 or P4M; got P6"):
        smooth_network(P6)
