"""`to_plain`: the same function, made of ordinary layers only."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from equivlab.fields.cells import inside_hexagon
from equivlab.groups import P4, P4M, PointGroup, group_of
from equivlab.models import P4CNN, ResNet18, UNet, smooth_network
from equivlab.nn import (
    CircleActivation,
    CircleReadout,
    FieldModule,
    GroupAvgPool2d,
    GroupBatchNorm,
    GroupConv2d,
    GroupDownsample2d,
    GroupDropout,
    GroupLayerNorm,
    GroupMaxPool2d,
    GroupPool,
    InvariantReadout,
    LiftingConv2d,
    S2Conv,
)
from equivlab.transfer import to_plain
from tests.laws import relative, sample


def randomise(model: nn.Module) -> nn.Module:
    """Fill statistics and scales too, so that a forgotten one shows."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point() and "conv" not in name and value.dim() == 1:
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return model


class Nested(nn.Module):
    """Layers inside lists and a forward of its own."""

    def __init__(self, group: PointGroup) -> None:
        super().__init__()
        self.stem = LiftingConv2d(group, 2, 4, 3, padding=1, padding_mode="circular")
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(
                    GroupBatchNorm(group, 4),
                    nn.ReLU(),
                    GroupConv2d(group, 4, 4, 3, padding=1, groups=2, bias=False),
                    GroupDropout(group, 4),
                )
                for _ in range(2)
            ]
        )
        self.tail = nn.Sequential(GroupMaxPool2d(group, 4, 2), GroupLayerNorm(group, 4))
        self.readout = InvariantReadout(group, 4, "norm", "max")
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.scale * self.readout(self.tail(x))


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
def test_a_nested_network(group: PointGroup) -> None:
    model = randomise(Nested(group)).eval()
    plain = to_plain(model)
    x = sample(model.stem.in_field, 12, torch.float32)
    assert relative(plain(x), model(x)) <= 1e-6
    assert not any(isinstance(m, FieldModule | GroupBatchNorm) for m in plain.modules())


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
def test_the_papers_network(group: PointGroup) -> None:
    torch.manual_seed(0)
    model = randomise(P4CNN(group)).eval()
    x = torch.randn(4, 1, 28, 28)
    plain = to_plain(model)
    assert relative(plain(x), model(x)) <= 1e-6
    kinds = {type(m) for m in plain.modules() if not any(m.children())}
    assert all(kind.__module__.startswith("torch.nn") for kind in kinds)
    assert sum(isinstance(m, nn.Conv2d) for m in plain.modules()) == 7


LAYERS = [
    lambda g: LiftingConv2d(g, 3, 2, 3, stride=2, dilation=2),
    lambda g: GroupConv2d(g, 3, 2, 3, padding="same"),
    lambda g: GroupConv2d(g, 3, 3, 2, padding=1, padding_mode="reflect", groups=3),
    lambda g: GroupBatchNorm(g, 3),
    lambda g: GroupBatchNorm(g, 3, affine=False),
    lambda g: GroupBatchNorm(g, 3, track_running_stats=False),
    lambda g: GroupLayerNorm(g, 3),
    lambda g: GroupDropout(g, 3),
    lambda g: GroupMaxPool2d(g, 3, 3, 2, 1, ceil_mode=True),
    lambda g: GroupAvgPool2d(g, 3, 3, 2, 1, count_include_pad=False),
    lambda g: GroupDownsample2d(g, 3),
    lambda g: GroupDownsample2d(g, 3, 4, "reflect"),
    *(lambda g, m=m: GroupPool(g, 3, m) for m in ("max", "mean", "norm")),
    *(
        lambda g, m=m, s=s: InvariantReadout(g, 3, m, s)
        for m in ("max", "mean", "norm")
        for s in ("mean", "max")
    ),
]


@pytest.mark.parametrize("number", range(len(LAYERS)))
@pytest.mark.parametrize("group", [P4, P4M], ids=str)
def test_each_layer(number: int, group: PointGroup) -> None:
    torch.manual_seed(0)
    layer = randomise(LAYERS[number](group)).eval()
    x = sample(layer.in_field, 9, torch.float32)
    flat = x.flatten(1, 2) if x.dim() == 5 else x
    wanted = layer(x)
    wanted = wanted.flatten(1, 2) if wanted.dim() == 5 else wanted
    assert relative(to_plain(layer)(flat), wanted) <= 1e-6


def test_the_original_and_the_copy_share_nothing() -> None:
    model = Nested(P4)
    before = copy.deepcopy(model.state_dict())
    plain = to_plain(model)
    assert model.training
    assert plain.training
    for value in plain.state_dict().values():
        value.zero_()
    plain.eval()
    plain.register_forward_hook(lambda *_: None)
    assert model.training
    assert not model._forward_hooks
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert isinstance(model.blocks[0][2], GroupConv2d)


def test_precision_and_memory_format_are_kept() -> None:
    model = P4CNN().double().to(memory_format=torch.channels_last).eval()
    plain = to_plain(model)
    assert {p.dtype for p in plain.parameters()} == {torch.float64}
    x = torch.randn(2, 1, 28, 28, dtype=torch.float64)
    assert relative(plain(x), model(x)) < 1e-13


def test_regular_maps_come_out_flat() -> None:
    model = smooth_network(P4M)
    x = torch.rand(1, 1, 16, 16)
    assert relative(to_plain(model)(x), model(x).flatten(1, 2)) <= 1e-6


def test_a_layer_without_a_twin_is_refused() -> None:
    with pytest.raises(TypeError, match=r"S2Conv has no twin.*torch.export"):
        to_plain(nn.Sequential(S2Conv(1, 2, 4, 3)))


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
def test_layer_norms_lay_their_maps_as_the_original_does(group: PointGroup) -> None:
    """A convolution that follows then adds up in the same order, and rounds in the same way."""
    layer = GroupLayerNorm(group, 6)
    x = torch.randn(2, 6, group.order, 5, 7, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y, flat = layer(x).flatten(1, 2), to_plain(layer)(x.flatten(1, 2))
    assert flat.stride() == y.stride()
    assert torch.equal(flat, y)


@pytest.mark.parametrize("model", [ResNet18, UNet])
@pytest.mark.parametrize("group", ["C8", "D6", "P6M", "SO2", "O2"])
def test_networks_of_every_group_are_ordinary_ones(
    group: str, model: type[ResNet18] | type[UNet]
) -> None:
    """On sizes of which some halves are odd; a U-Net tells its layers to which size they go."""
    torch.manual_seed(0)
    network = model(group_of(group), width=4)
    for side in (23, 21) if group == "P6M" else (22, 23):
        x = torch.randn(2, 1, side, side)
        x = inside_hexagon(x) if group == "P6M" else x
        with torch.no_grad():
            network.train()(x)
            wanted = network.eval()(x)
            plain = to_plain(network)
            assert not any(isinstance(part, FieldModule) for part in plain.modules())
            assert relative(plain(x), wanted) <= 5e-6


def test_functions_on_the_circle_keep_the_activation() -> None:
    """A module of one's own with a parameter is copied; a function becomes part of the graph."""
    torch.manual_seed(0)
    x = torch.randn(2, 10, 5, 5)
    for activation in (nn.PReLU(init=0.3), torch.tanh, lambda x: x * x.sigmoid()):
        layer = CircleActivation(2, 2, activation)
        plain = to_plain(layer)
        assert relative(plain(x).detach(), layer(x).detach()) <= 2e-6
        assert all(p not in set(layer.parameters()) for p in plain.parameters())
    most = CircleReadout("2x0 + 2x1 + 2x2", "max")
    assert torch.equal(to_plain(most)(x), most(x))
