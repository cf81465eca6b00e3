"""`fuse`: the same function with the norms and ReLUs inside the convolutions."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from equivlab.groups import P4, P4M, P6, P6M, Cyclic, Dihedral, PointGroup
from equivlab.models import P4CNN, ResNet18
from equivlab.nn import GroupBatchNorm, GroupConv2d, GroupPool, LiftingConv2d, fuse
from equivlab.transfer import to_plain
from tests.laws import assert_law, relative, sample

Network = TypeVar("Network", bound=nn.Module)


def used(model: Network) -> Network:
    """A network whose norms have kept and learned something, in `eval()`."""
    draw = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, GroupBatchNorm):
            for numbers in (module.running_mean, module.weight, module.bias):
                if numbers is not None:
                    numbers.data.normal_(generator=draw)
            module.running_var.uniform_(0.3, 3, generator=draw)
    return model.eval()


def block(group: PointGroup, *, bias: bool = True, affine: bool = True) -> nn.Sequential:
    return nn.Sequential(
        LiftingConv2d(group, 1, 4, 3, bias=bias),
        GroupBatchNorm(group, 4, affine=affine),
        nn.ReLU(),
        GroupConv2d(group, 4, 4, 3, padding=1, bias=bias),
        GroupBatchNorm(group, 4, affine=affine),
        nn.ReLU(),
        GroupPool(group, 4),
    )


def layers(model: nn.Module) -> list[type]:
    return [type(module) for module in model.modules() if not list(module.children())]


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_the_same_function_in_fewer_steps(group: PointGroup, bias: bool, affine: bool) -> None:
    model, x = used_block(group, bias, affine), torch.randn(2, 1, 16, 16)
    before, wanted = copy.deepcopy(model.state_dict()), model(x)
    fused = fuse(model)
    assert layers(fused).count(nn.Identity) == 4
    assert GroupBatchNorm not in layers(fused)
    assert relative(fused(x), wanted) <= 2e-6
    with torch.no_grad():
        assert relative(fused(x), wanted) <= 2e-6
    assert torch.equal(model(x), wanted)
    assert all(torch.equal(model.state_dict()[name], kept) for name, kept in before.items())


@pytest.mark.parametrize("group", [Cyclic(8), Dihedral(8), P6, P6M], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_filters_of_harmonics_and_of_cells(group: PointGroup, bias: bool) -> None:
    model = used_block(group, bias)
    x = sample(model[0].in_field, 15, torch.float32)
    fused = fuse(model)
    assert layers(fused).count(nn.Identity) == 4
    with torch.no_grad():
        assert relative(fused(x), model(x)) <= 2e-6
    assert relative(fused(x), model(x)) <= 2e-6


def used_block(group: PointGroup, bias: bool = True, affine: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    return used(block(group, bias=bias, affine=affine))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "P4CNN": (P4CNN, 28, 6),
    "ResNet18": (lambda: ResNet18(P4M, width=4, exact_size=True), 33, 20),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_the_papers(name: str) -> None:
    make, size, norms = NETWORKS[name]
    torch.manual_seed(0)
    model, x = used(make()), torch.randn(2, 1, size, size)
    assert layers(model).count(GroupBatchNorm) == norms
    fused = fuse(model)
    assert GroupBatchNorm not in layers(fused)
    with torch.no_grad():
        wanted = model.double()(x.double())
        assert relative(fused(x).double(), wanted) <= 5e-6  # twenty layers of rounding
        assert relative(fused.double()(x.double()), wanted) <= 1e-6  # one rounding of the weights


def test_the_law_holds_as_before() -> None:
    model = used_block(P4M)
    fused = fuse(nn.Sequential(*list(model)[:-1]).eval())
    layer = fused[3]
    assert layer.rectified
    assert_law(layer, torch.randn(2, 4, 8, 9, 9))
    assert "rectified=True" in repr(layer)


def test_its_plain_twin() -> None:
    model, x = used_block(P4), torch.randn(2, 1, 16, 16)
    plain, twin = to_plain(model), to_plain(fuse(model))
    assert relative(twin(x), plain(x)) <= 2e-6
    assert relative(plain(x), model(x).flatten(1, -3)) <= 2e-6


def test_a_network_that_trains_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Call model\.eval\(\) first"):
        fuse(block(P4))
    model = block(P4).eval()
    model[1].train()
    with pytest.raises(ValueError, match=r"Call model\.eval\(\) first"):
        fuse(model)


class Branching(nn.Module):
    """The convolution's output is wanted twice, the norm called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.lift = LiftingConv2d(P4, 1, 2, 3)
        self.norm = GroupBatchNorm(P4, 2)
        self.conv = GroupConv2d(P4, 2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lift(x)
        return x + self.norm(self.conv(self.norm(x)))


class Loop(nn.Module):
    """Calls the layers of a Sequential one by one, and keeps what each gives."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = used_block(P4)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for layer in self.layers[:3]:
            x = layer(x)
            kept.append(x.mean((1, 2, 3, 4)))
        return torch.stack(kept)


class Looking(nn.Module):
    """Decides by the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.features = used_block(P4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.features(x)
        return y if y.sum() > 0 else -y


@pytest.mark.parametrize("kind", [Branching, Loop])
def test_what_is_used_elsewhere_stays(kind: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model, x = used(kind()), torch.randn(2, 1, 12, 12)
    fused = fuse(model)
    assert relative(fused(x), model(x)) <= 2e-6
    assert layers(fused) == layers(model)


def test_what_cannot_be_followed() -> None:
    model, x = Looking().eval(), torch.randn(2, 1, 16, 16)
    with pytest.raises(TypeError, match=r"model\.features = fuse\(model\.features\)"):
        fuse(model)
    around = fuse(nn.Sequential(model, nn.Identity()).eval())  # inside, nothing is folded
    assert layers(around[0]) == layers(model)
    wanted = model(x)
    model.features = fuse(model.features)
    assert relative(model(x), wanted) <= 2e-6


def test_watched_and_parametrized_layers_stay() -> None:
    seen: list[Tensor] = []
    model, x = used_block(P4), torch.randn(2, 1, 16, 16)
    model[1].register_forward_hook(lambda *given: seen.append(given[-1]))
    nn.utils.parametrizations.weight_norm(model[3])
    fused = fuse(model)
    assert layers(fused).count(GroupBatchNorm) == 2
    assert relative(fused(x), model(x)) <= 2e-6
    assert len(seen) == 2
