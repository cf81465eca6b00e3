"""What an error consists of: the shares, and the same layers on a finer grid."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from equivlab.equivariance import error_budget, oversampled, read_layer, without_steps
from equivlab.fields import SphereMaps
from equivlab.groups import P4, Cyclic
from equivlab.models import P4CNN, ResNet18, smooth_network
from equivlab.nn import (
    GroupAvgPool2d,
    GroupConv2d,
    GroupDownsample2d,
    GroupMaxPool2d,
    HealpixToSphere,
    LiftingConv2d,
    S2Conv,
    SO3Activation,
    SO3Integrate,
    SpinActivation,
    SpinConv,
    SteerableConv3d,
)
from equivlab.so3 import SO3

X = torch.rand(2, 1, 29, 29, generator=torch.Generator().manual_seed(0))


def test_shares_add_up_and_are_never_negative() -> None:
    E, R, F = torch.rand(3, 200, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    budget = error_budget(E, R, F)
    assert budget.shares().shape == (200, 3)
    assert float(budget.shares().min()) >= 0
    assert torch.allclose(budget.total, E, atol=1e-12)
    assert torch.equal(budget.grid, (E - F).clamp_min(0))
    assert bool((budget.interpolation <= R).all())


def test_each_share_alone() -> None:
    """Exact everywhere, resampling alone, the grid alone, the model alone, and what is unknown."""
    E, R, F = torch.tensor([[0, 0.1, 0.3, 0.3], [0.2, 0.1, 0, 0], [0, 0.1, 0, 0.3]])
    shares = error_budget(E, R, F).shares()
    assert torch.equal(shares, torch.tensor([[0, 0, 0], [0.1, 0, 0], [0, 0.3, 0], [0, 0, 0.3]]))
    unknown = error_budget(E, R, None)
    assert bool(unknown.grid.isnan().all())
    assert torch.equal(unknown.total, E)
    infinite = error_budget(torch.tensor(math.inf), torch.tensor(0.1), torch.tensor(math.inf))
    assert infinite.shares().tolist() == [0, 0, math.inf]


def _planar(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(LiftingConv2d(P4, 1, 2, 3, padding=1), *layers).eval()


C8 = Cyclic(8)
STEPS = {
    "stride": _planar(GroupConv2d(P4, 2, 2, 3, stride=2, padding=1), GroupConv2d(P4, 2, 2, 3)),
    "maxima": _planar(GroupMaxPool2d(P4, 2, 2), GroupConv2d(P4, 2, 2, 3, padding=1)),
    "means": _planar(GroupAvgPool2d(P4, 2, 2), nn.ReLU(), GroupConv2d(P4, 2, 2, 3)),
    "C8": nn.Sequential(LiftingConv2d(C8, 1, 2, 5, stride=2), GroupMaxPool2d(C8, 2, 1)),
    "plain": nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Conv2d(1, 2, 5, padding="same")),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_without_steps_the_same_values_stand_between_more(name: str) -> None:
    model = STEPS[name]
    finer = without_steps(model, X)
    assert finer is not None
    assert finer is not model
    with torch.no_grad():
        few, many = model(X), finer(X)
    assert many.shape[-1] > 1.8 * few.shape[-1]
    kept = many[..., ::2, ::2][..., : few.shape[-2], : few.shape[-1]]
    assert torch.allclose(kept, few, atol=1e-6)


def test_as_far_as_a_layer() -> None:
    model = P4CNN(width=2).eval()
    x = X[..., :28, :28]
    assert without_steps(model, x, "features.3") is model
    finer = without_steps(model, x, "features.7")
    assert finer is not None
    with torch.no_grad():
        few, many = (read_layer(one, "features.7", x)[1] for one in (model, finer))
    assert isinstance(few, Tensor)
    assert isinstance(many, Tensor)
    assert torch.allclose(many[..., ::2, ::2][..., :10, :10], few, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_padding_on_one_side_goes_on_both() -> None:
    model = LiftingConv2d(P4, 1, 2, 4, padding="same")
    finer = without_steps(model, X)
    assert finer is not None
    y = finer(X)
    assert y.shape[-1] == X.shape[-1] + 1
    turned = finer(torch.rot90(X, 1, (-2, -1)))
    assert torch.allclose(turned, model.out_field.act(1, y), atol=1e-5)
    off = model(torch.rot90(X, 1, (-2, -1))) - model.out_field.act(1, model(X))
    assert float(off.detach().abs().max()) > 0.05


class _Twice(nn.Module):
    """One layer before a step and after it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv2d(1, 1, 3), nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.pool(self.conv(x)))


def test_where_nothing_is_to_change_and_where_it_cannot_be_told() -> None:
    same = smooth_network(P4)
    assert without_steps(same, X) is same
    wrong = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(), nn.Linear(3, 2))
    for model in (
        _planar(GroupDownsample2d(P4, 2)),  # it steps in a way of its own
        ResNet18(P4, width=4),  # too many steps
        _Twice(),
        nn.Conv2d(1, 1, 3, stride=2, padding=1, padding_mode="circular"),
        wrong,  # cannot be run to the end
    ):
        assert without_steps(model.eval(), X) is None


def test_voxels() -> None:
    model = SteerableConv3d("1x0e", "1x0e + 1x1o", 3, stride=2, padding=1)
    x = torch.rand(1, 1, 9, 9, 9)
    finer = without_steps(model, x)
    assert finer is not None
    assert torch.allclose(finer(x)[..., ::2, ::2, ::2], model(x), atol=1e-6)


class _Square(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.square()


def test_on_a_finer_sphere_a_square_obeys_the_law() -> None:
    """A product has degrees below twice the bandwidth: they fit on a grid twice as fine."""
    torch.manual_seed(0)
    model = nn.Sequential(_Square()).double()
    field = SphereMaps(1, 6)
    x = field.act(SO3.identity, torch.rand(1, 1, 12, 12, dtype=torch.float64))
    R = SO3.from_zyz(0.4, 1.1, -0.3)

    def law(one: nn.Module) -> float:
        y = one(x)
        return float((one(field.act(R, x)) - field.act(R, y)).abs().max() / y.abs().max())

    finer = oversampled(model, x)
    assert finer is not None
    assert law(model) > 0.01
    assert law(finer) < 1e-9


def test_what_bends_on_the_sphere() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 1, 8, 8)
    straight = nn.Sequential(S2Conv(1, 2, 4, 4), SO3Integrate(2, 4)).eval()
    assert oversampled(straight, x) is straight
    bent = nn.Sequential(S2Conv(1, 2, 4, 4), SO3Activation(2, 4), nn.ReLU(), SO3Integrate(2, 4))
    finer = oversampled(bent.eval(), x)
    assert finer is not None
    assert finer[1].oversampling == 2 * bent[1].oversampling
    assert type(finer[2]).__name__ == "_OnFinerGrid"
    spins = nn.Sequential(SpinConv(1, 2, 4, 4, orders_out=1), SpinActivation(2, 4, 1))
    maps = torch.rand(1, 1, 192)
    healpix = nn.Sequential(nn.ReLU(), HealpixToSphere(1, 4, 4))
    for model, signal in ((spins, x), (healpix, maps)):
        assert oversampled(model.eval(), signal) is None
