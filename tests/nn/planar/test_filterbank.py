"""The filter bank: what it holds, and that what is remembered is never stale."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from equivlab.groups import P4, P4M, Cyclic, PointGroup
from equivlab.nn import GroupConv2d, LiftingConv2d, SteerableConv2d, SteerableConv3d
from equivlab.nn.planar.filterbank import expand_filters
from tests.laws import sample
from tests.nn.planar.ways import never


@pytest.fixture(autouse=True)
def the_ordinary_way() -> Iterator[None]:
    """The compiled kernel has no bank; `test_compiled.py` has what it remembers."""
    with never():
        yield


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4])
def test_the_bank_is_the_filters_acted_on(group: PointGroup, kernel_size: int) -> None:
    layer = GroupConv2d(group, 2, 3, kernel_size)
    bank, bias = layer.filter_bank()
    filters = layer.weight.view(3, 2, group.order, kernel_size, kernel_size)
    for g in group.elements:
        wanted = layer.in_field.act(g, filters).flatten(1, 2)
        assert torch.equal(bank[g :: group.order], wanted)
        assert torch.equal(bias[g :: group.order], layer.bias)


@pytest.mark.parametrize("kind", [GroupConv2d, LiftingConv2d])
@pytest.mark.parametrize("kernel_size", [1, 2, 3])
def test_the_bank_has_the_memory_format_of_the_weights(
    kind: type[GroupConv2d], kernel_size: int
) -> None:
    layer = kind(P4M, 4, 3, kernel_size)
    bank, _ = layer.filter_bank()
    moved = copy.deepcopy(layer).to(memory_format=torch.channels_last)
    assert moved.filter_bank()[0].is_contiguous(memory_format=torch.channels_last)
    # The format is looked at in each call: weights may come in another one than they had.
    borrowed = torch.func.functional_call(
        layer, {"weight": moved.weight}, (sample(layer.in_field, 6, torch.float32),)
    )
    assert torch.equal(moved.filter_bank()[0], bank)
    with torch.no_grad():
        assert torch.equal(moved.filter_bank()[0], bank)
    torch.testing.assert_close(borrowed, layer(sample(layer.in_field, 6, torch.float32)))


def fresh(layer: GroupConv2d, x: Tensor) -> Tensor:
    """What the layer must give: its bank expanded now, from the weights as they are."""
    bank = expand_filters(layer.weight, layer.filter_index, layer.filter_index_last)
    bias = None if layer.bias is None else layer.bias.repeat_interleave(4)
    y = torch.nn.functional.conv2d(x.flatten(1, 2), bank, bias)
    return y.unflatten(1, (layer.out_channels, -1))


def optimiser_step(layer: GroupConv2d) -> None:
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(sample(layer.in_field, 6, torch.float32)).square().sum().backward()
    optimiser.step()


def write_through_numpy(layer: GroupConv2d) -> None:
    layer.weight.detach().numpy()[0, 0, 0, 0] = 7.0


CHANGES: dict[str, Callable[[GroupConv2d], object]] = {
    "optimiser step": optimiser_step,
    "load_state_dict": lambda m: m.load_state_dict(GroupConv2d(P4, 2, 3, 3).state_dict()),
    "foreach": lambda m: torch._foreach_mul_([m.weight.data, m.bias.data], 2.0),
    "copied from": lambda m: m.weight.data.copy_(torch.randn_like(m.weight)),
    "vector_to_parameters": lambda m: nn.utils.vector_to_parameters(
        torch.randn(m.weight.numel() + m.bias.numel()), m.parameters()
    ),
    "weight.data": lambda m: m.weight.data.mul_(2),
    "one number": lambda m: m.weight.data[0, 0, 0, 0].add_(1),
    "a new parameter": lambda m: setattr(m, "weight", nn.Parameter(torch.randn_like(m.weight))),
    "bias": lambda m: m.bias.data.add_(1),
    "no bias": lambda m: setattr(m, "bias", None),
    "through numpy": write_through_numpy,
    "assigned data": lambda m: setattr(m.weight, "data", torch.randn_like(m.weight)),
    "to double and back": lambda m: m.double().float(),
    "to_empty": lambda m: m.to_empty(device="cpu").reset_parameters(),
    "reset": lambda m: m.reset_parameters(),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_never_stale(name: str, frozen: bool, mode: type[torch.no_grad]) -> None:
    torch.manual_seed(0)
    layer = GroupConv2d(P4, 2, 3, 3).eval()
    x = sample(layer.in_field, 6, torch.float32)
    with mode():
        layer(x)
        before = layer(x)
    CHANGES[name](layer)
    layer.requires_grad_(not frozen)
    with mode():
        after = layer(x)
    assert torch.equal(after, fresh(layer, x))
    assert not torch.equal(after, before) or name == "to double and back"


def test_unchanged_weights_are_expanded_once() -> None:
    layer = GroupConv2d(P4, 2, 3, 3)
    with torch.no_grad():
        assert layer.filter_bank()[0] is layer.filter_bank()[0]
    assert layer.filter_bank()[0] is not layer.filter_bank()[0]  # a gradient is wanted


def test_nothing_of_it_is_state() -> None:
    layer = GroupConv2d(P4, 2, 3, 3).eval()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    with torch.no_grad():
        layer(sample(layer.in_field, 6, torch.float32))
    assert set(layer.state_dict()) == {"weight", "bias"}
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


def pickled(layer: GroupConv2d) -> GroupConv2d:
    return pickle.loads(pickle.dumps(layer))  # noqa: S301  (our own bytes)


@pytest.mark.parametrize("clone", [copy.deepcopy, pickled])
def test_copies_live_their_own_lives(clone: Callable[[GroupConv2d], GroupConv2d]) -> None:
    layer = GroupConv2d(P4, 2, 3, 3)
    x = sample(layer.in_field, 6, torch.float32)
    with torch.no_grad():
        mine = layer(x)
        twin = clone(layer)
        twin.weight.mul_(2)
        assert torch.equal(layer(x), mine)
        assert torch.equal(twin(x), fresh(twin, x))


def test_a_bank_is_remade_in_a_new_memory_format() -> None:
    layer = GroupConv2d(P4, 4, 3, 3)
    with torch.no_grad():
        kept, _ = layer.filter_bank()
        moved, _ = layer.to(memory_format=torch.channels_last).filter_bank()
    assert kept.is_contiguous()
    assert moved.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("bias", [True, False])
def test_parametrized_weights(bias: bool) -> None:
    """A weight norm takes the weight away from the parameters and computes it in each call."""
    layer = GroupConv2d(P4, 2, 3, 3, bias=bias)
    x = sample(layer.in_field, 6, torch.float32)
    wanted = layer(x)
    normed = nn.utils.parametrizations.weight_norm(copy.deepcopy(layer))
    torch.testing.assert_close(normed(x), wanted)
    with torch.no_grad():
        torch.testing.assert_close(normed(x), wanted)
        normed.parametrizations.weight.original0.mul_(2)
        assert not torch.allclose(normed(x), wanted)
    normed(x).sum().backward()
    assert normed.parametrizations.weight.original1.grad is not None


def test_threads_see_whole_banks() -> None:
    """Two layers' worth of weights in turn, in four threads: each output is one or the other."""
    layer = LiftingConv2d(P4, 1, 2, 3)
    x = sample(layer.in_field, 6, torch.float32)
    sets = [copy.deepcopy(layer), LiftingConv2d(P4, 1, 2, 3)]
    wanted = [one(x).detach() for one in sets]

    @torch.no_grad()
    def work(turn: int) -> bool:
        for step in range(100):
            which = (turn + step) % 2
            bank = layer._memo.recall(sets[which].weight, layer._expand)
            bias = sets[which].bias.repeat_interleave(4)
            y = torch.nn.functional.conv2d(x, bank, bias).unflatten(1, (2, 4))
            if not torch.equal(y, wanted[which]):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


def test_eval_then_a_second_backward() -> None:
    """A bank kept from eval() must not be the one that is differentiated, nor be freed twice."""
    layer = LiftingConv2d(P4, 1, 2, 3).eval()
    x = sample(layer.in_field, 6, torch.float32)
    with torch.inference_mode():
        layer(x)
    gradients = []
    for _ in range(2):
        layer.zero_grad()
        layer(x).square().sum().backward()
        gradients.append(layer.weight.grad.clone())
    assert torch.equal(*gradients)
    assert float(gradients[0].abs().max()) > 0


def test_weights_of_nan_are_not_hidden() -> None:
    layer = LiftingConv2d(P4, 1, 2, 3)
    x = sample(layer.in_field, 6, torch.float32)
    with torch.no_grad():
        layer(x)
        layer.weight[0, 0, 0, 0] = torch.nan
        assert bool(torch.isnan(layer(x)[:, 0]).any())


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (LiftingConv2d(P4, 1, 2, 3), (2, 1, 9, 9)),
        (GroupConv2d(P4M, 2, 2, 3), (2, 2, 8, 9, 9)),
        (GroupConv2d(Cyclic(8), 2, 2, 5), (2, 2, 8, 9, 9)),
        (SteerableConv2d("2x0 + 1x1", "2x0 + 1x1", 5), (2, 4, 9, 9)),
        (SteerableConv3d("1x0e", "1x0e + 1x1o", 3), (2, 1, 5, 5, 5)),
    ],
    ids=["lifting", "P4M", "C8", "SO2", "SO3"],
)
def test_a_trace_of_a_new_layer_follows_its_weights(
    layer: nn.Module, shape: tuple[int, ...]
) -> None:
    """Its first call expands the filters; the second, by which torch checks a trace, does too."""
    x = torch.randn(shape)
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):  # of one size only
        traced = torch.jit.trace(layer, x)
        before = traced(x)
        for parameter in traced.parameters():
            parameter.mul_(2)
    assert not torch.allclose(before, layer(x), atol=1e-3)
    assert torch.allclose(traced(x), layer(x), atol=1e-4)
