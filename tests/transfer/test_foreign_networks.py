"""Networks that others wrote: parameters in containers, things called `stages`, tied weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from equivlab.fields import IrrepVectors, RegularMaps
from equivlab.groups import P4
from equivlab.models import ResNet18
from equivlab.nn import FieldModule, GroupConv2d, GroupLayerNorm, InvariantReadout, LiftingConv2d
from equivlab.transfer import (
    freeze,
    from_plain,
    learning_rates,
    renew_norms,
    replace_head,
    stages,
    to_plain,
)


class Block(nn.Module):
    """A layer of ConvNeXt: a scale of its own beside its children."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width, 1, 1))
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * self.norm(self.conv(x))


class Staged(nn.Module):
    """A list called `stages`, as in timm's ConvNeXt and RegNet."""

    def __init__(self, stages: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        self.stages = stages
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(x.mean((2, 3)))


class Transformer(nn.Module):
    """A vision transformer's bones: a token and places in the model itself."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.places = nn.Parameter(torch.zeros(1, 5, 8))
        self.patches = nn.Conv2d(1, 8, 8, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.patches(x).flatten(2).mT
        rows = torch.cat([self.token.expand(len(x), -1, -1), rows], 1) + self.places
        rows = rows + self.attention(rows, rows, rows)[0]
        return self.head(self.norm(rows)[:, 0])


class Excite(FieldModule):
    """Squeeze and excite: a layer on fields with ordinary layers inside."""

    def __init__(self, channels: int) -> None:
        super().__init__(RegularMaps(P4, channels), RegularMaps(P4, channels))
        self.squeeze = nn.Linear(channels, 2)
        self.excite = nn.Linear(2, channels)

    def forward(self, x: Tensor) -> Tensor:
        means = self.check(x).mean((2, 3, 4))
        return x * torch.sigmoid(self.excite(self.squeeze(means).relu()))[:, :, None, None, None]


def excited() -> nn.Module:
    return nn.Sequential(
        LiftingConv2d(P4, 1, 4, 3), Excite(4), GroupConv2d(P4, 4, 4, 3),
        InvariantReadout(P4, 4), nn.Linear(4, 3),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    "sequence": (lambda: Staged(nn.Sequential(Block(4), Block(4))), ["stem", "stages.0.conv"]),
    "list": (lambda: Staged(nn.ModuleList([Block(4), Block(4)])), ["stem", "stages.0.conv"]),
    "transformer": (Transformer, ["patches", "attention.out_proj"]),
    "excited": (excited, ["0", "1"]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_has_one_stage_and_freezing_spares_the_head(name: str) -> None:
    model = NETWORKS[name][0]()
    groups = learning_rates(model, 1.0)
    inside = [id(p) for group in groups for p in group["params"]]
    assert sorted(inside) == sorted(id(p) for p in model.parameters())
    torch.optim.SGD(groups)  # which refuses a parameter in two groups
    freeze(model)
    learning = [n for n, p in model.named_parameters() if p.requires_grad]
    assert len(learning) == 2
    assert all(p.shape[0] == 3 for p in model.parameters() if p.requires_grad)
    assert replace_head(model, 7).out_features == 7
    assert model(torch.randn(2, 1, 16, 16)).shape == (2, 7)


@pytest.mark.parametrize("name", NETWORKS)
def test_stages_begin_at_filters(name: str) -> None:
    model = NETWORKS[name][0]()
    names = {part: path for path, part in model.named_modules()}
    found = {stage: [names[part] for part in parts] for stage, parts in stages(model).items()}
    assert list(found)[:2] == ["stage1", "stage2"]
    for (stage, parts), first in zip(found.items(), NETWORKS[name][1], strict=False):
        assert first in parts, (stage, parts)
    if name == "transformer":
        assert found["stage1"] == ["", "patches"]
        assert found["stage2"] == ["attention", "attention.out_proj", "norm"]
    if name == "excited":
        assert found["stage2"] == ["1", "1.squeeze", "1.excite"]
    if name == "list":
        assert found["stage2"] == ["stages.0", "stages.0.conv", "stages.0.norm"]


def test_tied_weights_learn_at_one_rate() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 3))
    model[2].weight = model[0].weight
    sizes = [len(group["params"]) for group in learning_rates(model, 1.0)]
    assert sizes == [2, 1, 2]


def test_a_table_with_a_parameter_beside_it() -> None:
    class More(ResNet18):
        def __init__(self) -> None:
            super().__init__(P4, width=4)
            self.contrast = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(self.contrast * x)

    model = More()
    assert model in stages(model)["stem"]
    freeze(model, "stem")
    assert not model.contrast.requires_grad
    assert model.fc.weight.requires_grad


def test_heads_inside_others() -> None:
    model = nn.Sequential(ResNet18(P4, width=4))
    replace_head(model, 5)
    assert model[0].out_field.channels == 5
    with pytest.raises(TypeError, match=r"ends in nn\.Linear; MultiheadAttention ends in Non"):
        replace_head(nn.MultiheadAttention(4, 2), 3)
    with pytest.raises(TypeError, match=r"ends in nn\.Linear; Sequential ends in Linear"):
        replace_head(nn.Sequential(LiftingConv2d(P4, 1, 4, 3), Excite(4)), 3)
    vector = nn.Sequential(nn.Linear(4, 3))
    vector.out_field = IrrepVectors("1x1o")  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"an Invariant; the network's out_field is IrrepVectors"):
        replace_head(vector, 5)
    assert vector[0].out_features == 3
    with pytest.raises(ValueError, match="one class or more; got classes=0"):
        replace_head(model, 0)


def test_norms_that_no_batch_reaches_keep_what_they_knew() -> None:
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.other = nn.BatchNorm2d(1), nn.BatchNorm2d(1)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(x) + (self.other(x) if self.training else 0)

    model = Auxiliary()
    model(3 + torch.randn(8, 1, 5, 5))
    before = model.other.running_mean.clone()
    assert renew_norms(model.eval(), [torch.randn(8, 1, 5, 5)]) == ["norm"]
    assert torch.equal(model.other.running_mean, before)
    kept = {n: value.clone() for n, value in model.state_dict().items()}
    with pytest.raises(ValueError, match="expected 4D input"):
        renew_norms(model, [torch.ones(2, 1, 5, 5), torch.ones(2)])
    assert all(torch.equal(value, kept[n]) for n, value in model.state_dict().items())


def test_layers_on_fields_are_never_copied_as_they_are() -> None:
    with pytest.raises(TypeError, match=r"Excite has no twin in torch\.nn \(it is 1 here\)"):
        to_plain(excited())


def test_layer_norms_over_the_group_have_no_ordinary_start() -> None:
    plain = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Linear(4, 4))
    model = nn.Sequential(LiftingConv2d(P4, 1, 4, 3), GroupLayerNorm(P4, 4))
    before = {n: value.clone() for n, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"1 is a GroupLayerNorm.*Use GroupBatchNorm"):
        from_plain(plain, model)
    assert all(torch.equal(value, before[n]) for n, value in model.state_dict().items())


def test_compiled_networks_have_the_stages_of_what_is_inside() -> None:
    model = ResNet18(P4, width=4)
    compiled = torch.compile(model)
    assert stages(compiled) == stages(model)
    assert freeze(compiled, "stem") == ["stem"]
    assert not model.conv1.weight.requires_grad
    assert replace_head(compiled, 5) is model.fc
    assert model.out_field.channels == 5
    x = torch.randn(2, 1, 33, 33)
    assert torch.allclose(to_plain(compiled).eval()(x), model.eval()(x), atol=1e-5)
