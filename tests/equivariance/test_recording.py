"""The reader of layers: which layers it sees, and that it keeps what it saw."""

from __future__ import annotations

import threading
from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from equivlab import audit
from equivlab.equivariance import read_layer, record
from equivlab.equivariance.containers import map_tensors
from equivlab.equivariance.recording import layer_names
from equivlab.fields import RegularMaps
from equivlab.groups import P4
from equivlab.models import ResNet18
from equivlab.nn import FieldModule, LiftingConv2d, NormedConv, S2Conv


class Squeeze(FieldModule):
    """A squeeze-and-excite on regular maps: a layer with children."""

    def __init__(self) -> None:
        super().__init__(RegularMaps(P4, 2), RegularMaps(P4, 2))
        self.mix = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.mix(x.mean((2, 3, 4))))[..., None, None, None]


def test_a_layer_may_have_children() -> None:
    net = nn.Sequential(LiftingConv2d(P4, 1, 2, 3), Squeeze())
    assert [call.name for call in record(net, torch.randn(1, 1, 6, 6))] == [
        "0", "1.mix", "1", "output",
    ]  # fmt: skip
    assert layer_names(net) == ["0", "1", "1.mix"]
    sphere = nn.Sequential(NormedConv(S2Conv(1, 1, 2, 2)))
    assert [call.name for call in record(sphere, torch.randn(1, 1, 4, 4))] == ["0", "output"]


def test_what_in_place_code_does_later_is_not_seen() -> None:
    net = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True), nn.Hardtanh(0, 1, inplace=True))
    x = torch.tensor([[-1.0, 0.5, 2.0]])
    given = x.clone()
    calls = record(net, x)
    assert torch.equal(x, given)
    assert [call.output.tolist()[0] for call in calls] == [
        [-1.0, 0.5, 2.0], [0.0, 0.5, 2.0], [0.0, 0.5, 1.0], [0.0, 0.5, 1.0],
    ]  # fmt: skip
    assert torch.equal(calls[1].inputs[0], given)
    assert calls[1].inputs[0] is calls[0].output


def test_an_in_place_network_is_innocent() -> None:
    torch.manual_seed(0)
    model = ResNet18(P4, width=8, stem="small").eval()
    x = torch.randn(1, 1, 9, 9)
    given = x.clone()
    report = audit(model, x, P4, angles=1)
    assert report.causes == []
    assert report.max_error < 1e-5
    spoils = nn.Sequential(nn.ReLU(inplace=True), LiftingConv2d(P4, 1, 1, 3))
    assert audit(spoils, x, P4, angles=2).causes == []
    assert torch.equal(x, given)


@dataclass(frozen=True)
class Answer:
    maps: Tensor
    label: str


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    "value",
    [
        (torch.ones(2), [torch.ones(1), 3]),
        {"a": torch.ones(2)},
        OrderedDict(a=torch.ones(2)),
        Pair(torch.ones(1), None),
        Answer(torch.ones(2), "name"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_containers_keep_their_kind(value: object) -> None:
    doubled = map_tensors(lambda x: 2 * x, value)
    assert type(doubled) is type(value)
    assert "2." in repr(doubled)
    assert "2." not in repr(value)


class Several(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = LiftingConv2d(P4, 1, 1, 3)

    def forward(self, a: Tensor, *, b: Tensor) -> Answer:
        return Answer(self.conv(a) + self.conv(b), "sum")


def test_several_inputs_and_other_outputs() -> None:
    a, b = torch.randn(2, 1, 1, 5, 5)
    calls = record(Several(), a, b=b)
    assert [call.name for call in calls] == ["conv", "conv#2", "output"]
    assert torch.equal(calls[-1].named["b"], b)
    assert isinstance(calls[-1].output, Answer)


class Breaks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Identity(), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        try:
            self.second(x)
        except RuntimeError:
            x = self.first(x)
        return x


def test_hooks_are_gone_after_an_error_and_a_caught_one_does_no_harm() -> None:
    model = Breaks()
    names = [call.name for call in record(model, torch.ones(1, 2))]
    assert names == ["first", "output"]
    with pytest.raises(TypeError):
        record(model, torch.ones(1, 2), 5)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_one_layer_is_read_and_the_rest_does_not_run() -> None:
    net = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(3, 1))
    x = torch.ones(1, 2, 2)  # too many for the last layer
    assert torch.equal(read_layer(net, "1", x)[1], torch.ones(1, 4))
    shared = nn.ReLU()
    twice = nn.Sequential(shared, nn.Softplus(), shared)
    module, y = read_layer(twice, "0#2", x)
    assert module is shared
    assert torch.equal(y, nn.functional.softplus(x))
    for name, words in (("7", "has no layer '7'. It has: 0, 1"), ("0#9", "so often")):
        with pytest.raises(ValueError, match=words):
            read_layer(twice, name, x)
    assert not shared._forward_hooks


def test_wrappers_are_taken_off() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU())
    x = torch.randn(1, 1, 5, 5)
    for wrapped in (nn.DataParallel(net), torch.compile(net)):
        assert [call.name for call in record(wrapped, x)] == ["0", "1", "output"]
    inner = nn.Sequential(torch.compile(net), nn.Flatten())
    assert [call.name for call in record(inner, x)] == ["0.0", "0.1", "1", "output"]


def test_another_thread_is_not_recorded() -> None:
    net = nn.Sequential(nn.ReLU())
    started, done = threading.Event(), threading.Event()

    class Waits(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            started.set()
            done.wait(10)
            return x

    net.append(Waits())
    found = []
    watched = threading.Thread(target=lambda: found.extend(record(net, torch.ones(1))))
    watched.start()
    started.wait(10)
    net[0](torch.zeros(1))
    done.set()
    watched.join()
    assert [call.name for call in found] == ["0", "1", "output"]
