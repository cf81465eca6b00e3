"""What `equivariant_twin` does not convert: it says where, why and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from equivlab.groups import P4, P6, Cyclic
from equivlab.transfer import ConversionError, equivariant_twin
from equivlab.transfer.twin import checking
from equivlab.transfer.twin.rules import FUNCTIONS


class Around(nn.Module):
    """A convolution, something, and a convolution."""

    def __init__(self, between: Callable[[Tensor], Tensor] = torch.relu, ins: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(ins, 4, 3, padding=1)
        self.between = between
        self.places = nn.Parameter(torch.randn(4, 12, 12))
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.between(self.first(x)))


class Placed(Around):
    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x) + self.places)


class Coordinates(Around):
    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x) * torch.linspace(0, 1, 12))


class Decides(Around):
    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x)) if x.mean() > 0 else self.first(x)


class Written(Around):
    """Reads through a view what was written over."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        halves = y[:, :4]
        y.relu_()
        return self.last(halves)


class Standardised(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight - self.weight.mean(), self.bias)


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, 4)
        self.blocks = nn.ModuleList([nn.MultiheadAttention(8, 2, batch_first=True)])
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.blocks[0](x, x, x)[0].mean(1))


class SelectiveKernelAttn(nn.Module):
    """Weighs whole channels: attention by its name, but not between places."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x, -x], 1).sum(1)


def hooked() -> nn.Module:
    model = Around(torch.relu)
    model.last.register_forward_hook(lambda *_: None)
    return model


def wide_norm() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.LayerNorm((4, 12, 12)))


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "places": (Placed, r"the parameter places of shape \(4, 12, 12\).*more than a number"),
    "coordinates": (Coordinates, r"uses a tensor \(12,\) that is no parameter.*register_buffer"),
    "pixels decide": (Decides, "fails on an image .*nothing in its forward depend on the values"),
    "written over": (Written, "or that was changed in place"),
    "standardised": (
        lambda: nn.Sequential(Standardised(1, 4, 3)), r"0: mean computes with parameters alone",
    ),
    "parametrized": (
        lambda: nn.Sequential(parametrizations.weight_norm(nn.Conv2d(1, 4, 3))),
        r"0: has parametrized weights.*remove_parametrizations",
    ),
    "hooks": (hooked, "last: has forward hooks, which the twin would not call"),
    "attention": (Tokens, r"network with attention \(blocks.0 is a MultiheadAttention\)"),
    "attention between channels": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), SelectiveKernelAttn()),
        r"1: stack has no twin(?!.*network with attention)",
    ),
    "position norm": (wide_norm, r"1: normalises the last axes \(4, 12, 12\).*use BatchNorm2d"),
    "pixel shuffle": (lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.PixelShuffle(2)), "has no twin"),
    "uneven stride": (lambda: nn.Sequential(nn.Conv2d(1, 4, 3, (1, 2))), r"stride=\(1, 2\)"),
    "uneven padding": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.ZeroPad2d((2, 0, 2, 0))),
        r"1: pads \(2, 0, 2, 0\), more to one side",
    ),
    "uneven strip": (lambda: nn.Sequential(nn.Conv2d(1, 4, (1, 3))), "the padding makes up for it"),
    "same, even": (lambda: nn.Sequential(nn.Conv2d(1, 4, 4, padding="same")), "Use odd kernels"),
    "flat maps": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(2), nn.Conv1d(4, 2, 1)),
        "Conv1d has no twin",
    ),
    "tokens": (
        lambda: Around(lambda x: x.flatten(2).transpose(1, 2).reshape(x.shape)),
        "brings axes BCL into",
    ),
    "attributes": (lambda: Around(lambda x: x.mT), "mT has no twin"),
    "quarter": (lambda: Around(lambda x: x[:, :, :6]), "more to one side than to another"),
    "turned": (lambda: Around(lambda x: x.transpose(2, 3)), "into the order BCWH"),
    "flipped": (lambda: Around(lambda x: x.flip(-1)), "flip has no twin"),
    "rolled": (lambda: Around(lambda x: x.roll(1, 1)), "roll has no twin"),
    "rows": (lambda: Around(lambda x: x.mean(2, keepdim=True)), "reduces axes H of BCHW"),
    "every number": (lambda: Around(lambda x: x - x.mean()), "reduces axes BCHW of BCHW"),
    "softmax": (lambda: Around(lambda x: x.softmax(1)), "is taken of maps"),
    "stacked": (lambda: Around(lambda x: torch.stack([x, x]).sum(0)), "stack has no twin"),
    "lines": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.Linear(10, 4)), "linear layer along axis W",
    ),
    "no convolution": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), "has no nn.Conv2d"),
    "two inputs": (lambda: nn.Bilinear(2, 3, 4), "has no nn.Conv2d"),
    "places of maxima": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2, return_indices=True)),
        "return_indices=False",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", REFUSED)
def test_it_says_what_and_where_and_what_to_do(name: str) -> None:
    make, words = REFUSED[name]
    model = make()
    before = {n: v.clone() for n, v in model.state_dict().items()}
    with pytest.raises(ConversionError, match="equivariant_twin: ") as found:
        equivariant_twin(model, P4, None if "no conv" in name or "inputs" in name else 12)
    assert re.search(words, str(found.value)), str(found.value)
    assert str(found.value).rstrip().endswith((".", ")"))
    assert all(torch.equal(before[n], v) for n, v in model.state_dict().items())
    assert not any("forward" in vars(part) for part in model.modules())


def test_the_module_and_the_line_are_named() -> None:
    with pytest.raises(ConversionError) as found:
        equivariant_twin(nn.Sequential(nn.Conv2d(1, 4, 3), Around(lambda x: x.flip(-1), 4)), P4, 12)
    assert found.value.path == "1"
    assert re.fullmatch(r".*test_refusals\.py:\d+", found.value.line)
    with pytest.raises(
        ConversionError, match=r"1\.first: fails on an image.*RuntimeError"
    ) as found:
        equivariant_twin(nn.Sequential(nn.Conv2d(1, 4, 3), Around()), P4, 12)
    assert found.value.path == "1.first"
    assert re.fullmatch(r".*test_refusals\.py:\d+", found.value.line)


def test_a_wrong_rule_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law is measured, not believed: a rule that lets a flip pass is caught; so is a size."""
    from equivlab.transfer.twin.rules.shaping import the_same

    def flipped(writer, call):  # type: ignore[no-untyped-def]
        x = the_same(writer, call)
        return x.at(writer.graph.call_function(torch.flip, (x.node, (-1,))))

    monkeypatch.setitem(FUNCTIONS, "flip", flipped)
    with pytest.raises(ConversionError, match="breaks the law"):
        equivariant_twin(Around(lambda x: x.flip(-1)), P4, 12)
    monkeypatch.setitem(FUNCTIONS, "interpolate", the_same)
    with pytest.raises(ConversionError, match=r"maps of \(12, 12\) pixels where .* \(24, 24\)"):
        equivariant_twin(Around(lambda x: F.interpolate(x, scale_factor=2)), P4, 12)
    assert checking.EXACT < 1e-6


def test_arguments() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3))
    for named, words in (
        ({"match": "size"}, "match is one of parameters, width, fields; got 'size'"),
        ({"init": "plain"}, "init is one of"),
        ({"strides": "keep"}, "strides is one of align, blur"),
        ({"readout": "sum"}, "readout is one of"),
        ({"init": "from_plain", "match": "width"}, "wants match='fields'; got match='width'"),
        ({"like": (1, 2)}, "like is a square image"),
        ({"like": torch.zeros(1, 1, 8, 9)}, "like is a square image"),
        ({"like": True}, "like is an image or its size; got True"),
        ({"like": "big"}, "like is an image or its size; got 'big'"),
    ):
        with pytest.raises(ValueError, match=words):
            equivariant_twin(model, P4, **named)  # type: ignore[arg-type]
    for group in (P6, Cyclic(2), Cyclic(8), None):
        with pytest.raises(ValueError, match="whose filters are square pixels"):
            equivariant_twin(model, group)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ReLU has no parameters"):
        equivariant_twin(nn.ReLU(), P4)
    with pytest.raises(ConversionError, match="fails on an image"):
        equivariant_twin(model, P4, (2, 8, 8))
