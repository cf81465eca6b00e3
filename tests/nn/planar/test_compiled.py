"""The compiled kernel: what the ordinary convolution gives, and its derivatives."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from equivlab.groups import P4, P4M, P6, Cyclic, Dihedral, PointGroup
from equivlab.nn import GroupConv2d, LiftingConv2d
from equivlab.nn.planar.compiled.finer import finer
from equivlab.nn.planar.compiled.places import places
from equivlab.nn.planar.conv import PlanarConv
from tests.laws import assert_law, relative, sample
from tests.nn.planar.ways import always, needs_kernel, never

pytestmark = needs_kernel

FINER = [Cyclic(4), Cyclic(8), Dihedral(4), Dihedral(8), Cyclic(12), Dihedral(12)]

LAYERS = st.fixed_dictionaries(
    {
        "layer": st.sampled_from([GroupConv2d, GroupConv2d, LiftingConv2d]),
        "group": st.sampled_from([P4, P4M, *FINER]),
        "ins": st.integers(1, 9),
        "outs": st.integers(1, 9),
        "kernel_size": st.integers(1, 7),
        "stride": st.integers(1, 3),
        "padding": st.one_of(st.integers(0, 5), st.sampled_from(["same", "valid"])),
        "dilation": st.integers(1, 2),
        "mode": st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
        "bias": st.booleans(),
    }
)
INPUTS = st.fixed_dictionaries(
    {"batch": st.integers(1, 5), "rows": st.integers(0, 9), "columns": st.integers(0, 30)}
)


def made(kind: dict[str, Any], size: dict[str, int]) -> tuple[PlanarConv, Tensor]:
    """A layer and an input that is a little larger than the least that it takes."""
    if kind["padding"] == "same":
        kind = kind | {"stride": 1}
    layer: PlanarConv = kind["layer"](
        kind["group"],
        kind["ins"],
        kind["outs"],
        *(kind[name] for name in ("kernel_size", "stride", "padding", "dilation")),
        bias=kind["bias"],
        padding_mode=kind["mode"],
    )
    sides = (max(layer.smallest_side, 1) + size[axis] for axis in ("rows", "columns"))
    axes = () if kind["layer"] is LiftingConv2d else (kind["group"].order,)
    return layer, torch.randn(size["batch"], kind["ins"], *axes, *sides)


def derivatives(layer: PlanarConv, x: Tensor, seed: int) -> list[Tensor]:
    """The output, its gradients, and theirs, along directions that `seed` draws."""
    draw = torch.Generator().manual_seed(seed)
    x = x.clone().requires_grad_()
    leaves = [x, *layer.parameters()]
    y = layer(x)
    v = torch.randn(y.shape, generator=draw).requires_grad_()
    first = torch.autograd.grad(y, leaves, v, create_graph=True)
    along = [torch.randn(each.shape, generator=draw) for each in first]
    second = torch.autograd.grad(first, [x, layer.weight, v], along)
    return [y.detach(), *(each.detach() for each in first), *second]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@settings(max_examples=80, deadline=None, derandomize=True)
@given(kind=LAYERS, size=INPUTS, threads=st.integers(1, 2), seed=st.integers(0, 99))
def test_both_ways_agree(
    kind: dict[str, Any], size: dict[str, int], threads: int, seed: int
) -> None:
    """To 2e-6, gradients to 5e-6, first and second."""
    torch.manual_seed(seed)
    layer, x = made(kind, size)
    with never():
        assert layer.route(x) == "conv2d: no compiled kernel"
        wanted = derivatives(layer, x, seed)
    torch.set_num_threads(threads)
    try:
        with always():
            assert layer.route(x) == "kernel"
            found = derivatives(layer, x, seed)
            with torch.no_grad():
                assert torch.equal(layer(x), found[0])
    finally:
        torch.set_num_threads(1)
    for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
        assert one.shape == other.shape
        assert relative(one, other) <= (5e-6 if place else 2e-6)


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("mode", ["zeros", "reflect", "circular"])
def test_the_law_through_the_kernel(
    group: PointGroup, stride: int, kernel_size: int, mode: str
) -> None:
    padding = kernel_size // 2
    layer = GroupConv2d(group, 3, 5, kernel_size, stride, padding, padding_mode=mode)
    x = sample(layer.in_field, 9, torch.float32)
    with always():
        assert layer.route(x) == "kernel"
        assert_law(layer, x)


@pytest.mark.parametrize("padding", [1, 2, 12])
@pytest.mark.parametrize("size", [(1, 1), (5, 4), (30, 3)])
def test_frames_narrow_and_wide(padding: int, size: tuple[int, int]) -> None:
    """Lines share their zeros; a frame may be wider than the rows that are taken at a time."""
    layer = GroupConv2d(P4M, 2, 3, 3, padding=padding)
    x = torch.randn(3, 2, 8, *size)
    with never():
        wanted = derivatives(layer, x, 0)
    with always():
        assert layer.route(x) == "kernel"
        found = derivatives(layer, x, 0)
    for one, other in zip(found, wanted, strict=True):
        assert relative(one, other) <= 5e-6


@pytest.mark.parametrize("group", [P4, P4M, Cyclic(8), Dihedral(4)], ids=str)
@pytest.mark.parametrize("kernel_size", [1, 3, 4, 5])
def test_images_are_lifted_by_the_law(group: PointGroup, kernel_size: int) -> None:
    """Of taps that turns carry to each other one is gathered: those on an axis, too."""
    layer = LiftingConv2d(group, 3, 5, kernel_size, padding=kernel_size // 2)
    x = sample(layer.in_field, 9, torch.float32)
    with always(), torch.no_grad():
        assert layer.route(x) == "kernel"
        y = layer(x)
        for g in P4M.elements if group.has_mirror else P4.elements:
            h = group.element_of(P4M if group.has_mirror else P4, g)
            assert relative(layer(layer.in_field.act(h, x)), layer.out_field.act(h, y)) <= 2e-6


def test_taps_of_images_by_their_orbits() -> None:
    """5 × 5 taps: six orbits of P4M, seven of P4; each number stands in one place."""
    for order, orbits in ((8, 6), (4, 7)):
        table = places(order, 5, lifts=True)
        assert table.taps.shape == (order, orbits)
        found = table.turned[table.turned >= 0]
        assert torch.equal(found.sort().values, torch.arange(25, dtype=torch.int32))


@pytest.mark.parametrize("group", FINER, ids=str)
def test_finer_groups_obey_the_law_at_quarter_turns(group: PointGroup) -> None:
    layer = GroupConv2d(group, 2, 3, 5, padding=2, padding_mode="replicate")
    x = torch.randn(2, 2, group.order, 9, 9)
    with always(), torch.no_grad():
        assert layer.route(x) == "kernel"
        y = layer(x)
        for g in P4M.elements if group.has_mirror else P4.elements:
            h = group.element_of(P4M if group.has_mirror else P4, g)
            turned = layer(layer.in_field.act(h, x))
            assert relative(turned, layer.out_field.act(h, y)) <= 2e-6


def test_of_finer_groups_a_quarter_turn_of_filters_is_expanded() -> None:
    """As P4 sees it: the same numbers as the whole bank has in its first orientations."""
    group = Dihedral(8)
    layer = GroupConv2d(group, 3, 2, 5)
    tables = finer(group)
    assert tables is not None
    assert (tables.order, tables.copies) == (8, 2)
    bank = layer.filter_bank()[0].view(2, group.order, 3, group.order, 5, 5)
    first = layer.filters_of(layer.weight, tables.copies, tables.maps)
    wanted = bank[:, :2, :, tables.maps]
    assert torch.equal(first, wanted.reshape(first.shape))


def test_bands_and_panels() -> None:
    """A large input is cut into bands of rows, a thread for each, and joined without a seam."""
    layer = GroupConv2d(P4M, 16, 16, 3, padding=1)
    x = torch.randn(2, 16, 8, 70, 65)
    with torch.no_grad():
        with never():
            wanted = layer(x)
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            try:
                assert layer.route(x) == "kernel"
                assert relative(layer(x), wanted) <= 2e-6
            finally:
                torch.set_num_threads(1)


@pytest.fixture(name="layer")
def any_layer() -> GroupConv2d:
    torch.manual_seed(0)
    return GroupConv2d(P4M, 4, 4, 3, padding=1)


def fresh(layer: GroupConv2d, x: Tensor) -> Tensor:
    with never():
        return layer(x).detach()


def test_matrices_are_never_stale(layer: GroupConv2d) -> None:
    x = torch.randn(1, 4, 8, 9, 9)
    with torch.no_grad():
        for change in (
            lambda: layer.weight.mul_(2),
            lambda: layer.bias.add_(1),
            lambda: layer.weight.data[0, 0, 0, 0].add_(1),
            lambda: setattr(layer, "weight", nn.Parameter(torch.randn_like(layer.weight))),
            lambda: setattr(layer, "bias", None),
            lambda: layer.double().float(),
            layer.reset_parameters,
        ):
            layer(x)
            change()
            assert layer.route(x) == "kernel"
            assert relative(layer(x), fresh(layer, x)) <= 2e-6


def test_unchanged_weights_are_transformed_once(layer: GroupConv2d) -> None:
    x = torch.randn(1, 4, 8, 9, 9)
    with torch.no_grad():
        layer(x)
        kept = layer.matrices._last
        layer(x)
        assert layer.matrices._last is kept
        assert layer._memo._last is None  # and no bank beside them


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])  # noqa: S301
def test_copies(layer: GroupConv2d, clone: Any) -> None:
    x = torch.randn(1, 4, 8, 9, 9)
    with torch.no_grad():
        mine = layer(x)
        twin = clone(layer)
        twin.weight.mul_(2)
        assert torch.equal(layer(x), mine)
        assert relative(twin(x), fresh(twin, x)) <= 2e-6
    assert set(layer.state_dict()) == {"weight", "bias"}


def test_parametrized_and_shared_weights(layer: GroupConv2d) -> None:
    x = torch.randn(2, 4, 8, 9, 9)
    shared = GroupConv2d(P4M, 4, 4, 3, padding=1)
    shared.weight = layer.weight
    normed = nn.utils.parametrizations.weight_norm(copy.deepcopy(layer))
    with always():
        for model in (nn.Sequential(layer, shared), normed):
            found = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
            with never():
                wanted = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
            assert all(relative(*pair) <= 5e-6 for pair in zip(found, wanted, strict=True))


def test_a_parametrized_weight_is_computed_once(layer: GroupConv2d) -> None:
    calls = []

    class Counting(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            calls.append(1)
            return 2 * weight

    nn.utils.parametrize.register_parametrization(layer, "weight", Counting())
    for way in (always, never):
        calls.clear()
        with way():
            layer(torch.randn(1, 4, 8, 9, 9))
        assert len(calls) == 1


def test_strange_numbers_go_through(layer: GroupConv2d) -> None:
    x = torch.randn(2, 4, 8, 9, 9)
    x[0, 0, 0, 4, 4] = torch.nan
    with torch.no_grad():
        y = layer(x)
        assert layer.route(x) == "kernel"
        assert bool(y[0].isnan().any())
        assert bool(y[1].isfinite().all())


OTHERS: dict[str, tuple[Any, Any, str]] = {
    "groups": (lambda: GroupConv2d(P4M, 4, 4, 3, groups=2), None, "groups"),
    "large filters": (lambda: GroupConv2d(P4M, 4, 4, 13, padding=6), None, "kernel_size"),
    "hexagons": (lambda: GroupConv2d(P6, 4, 4, 3), lambda: torch.randn(1, 4, 6, 15, 15), "P6"),
    "a third of a turn": (
        lambda: GroupConv2d(Cyclic(6), 4, 4, 5),
        lambda: torch.randn(1, 4, 6, 15, 15),
        "no quarter turns",
    ),
    "double": (lambda: GroupConv2d(P4M, 4, 4, 3).double(), lambda: _x().double(), "float32"),
    "channels last": (
        lambda: GroupConv2d(P4M, 4, 4, 3),
        lambda: _x().flatten(1, 2).to(memory_format=torch.channels_last).unflatten(1, (4, 8)),
        "contiguous",
    ),
}


def _x() -> Tensor:
    return torch.randn(1, 4, 8, 15, 15)


@pytest.mark.parametrize("name", OTHERS)
def test_what_goes_the_ordinary_way(name: str) -> None:
    layer, x, why = OTHERS[name]
    layer, x = layer(), (x or _x)()
    with always(), torch.no_grad():
        assert layer.route(x).startswith("conv2d: ")
        assert why in layer.route(x)
        found = layer(x)
    assert torch.equal(found, fresh(layer, x))


def test_under_modes_and_transformations(layer: GroupConv2d) -> None:
    x = _x()
    with always(), torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(x).dtype == torch.bfloat16
        mapped = torch.func.vmap(layer)(x[None])[0]
        assert torch.equal(mapped, fresh(layer, x))
        with warnings.catch_warnings(action="ignore"):  # of a trace that sees one size only
            traced = torch.jit.trace(layer, x)
        assert "equivlab::" not in str(traced.inlined_graph)
        exported = torch.export.export(layer, (x,))
        assert "conv2d" in str(exported.graph)
        with torch.device("meta"):  # new tensors go elsewhere; these are here
            assert relative(layer(x), fresh(layer, x)) <= 2e-6
        with torch.inference_mode():
            assert relative(layer(x), fresh(layer, x)) <= 2e-6
    with always():
        _, along = torch.func.jvp(layer, (x,), (x,))
        gradient = torch.func.grad(lambda x: layer(x).square().sum())(x)
    with never():
        assert torch.equal(along, torch.func.jvp(layer, (x,), (x,))[1])
        assert torch.equal(gradient, torch.func.grad(lambda x: layer(x).square().sum())(x))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kind", "axes"), [(GroupConv2d, (4,)), (LiftingConv2d, ())])
def test_a_batch_of_gradients(kind: type[PlanarConv], axes: tuple[int, ...], stride: int) -> None:
    """`torch.autograd.functional.jacobian` may ask for all rows at once."""
    layer = kind(P4, 1, 1, 3, stride, 1)
    x = torch.randn(1, 1, *axes, 5, 5, requires_grad=True)

    def jacobians() -> tuple[Tensor, ...]:
        y = layer(x).flatten()
        leaves = (x, layer.weight)
        return torch.autograd.grad(y, leaves, torch.eye(len(y)), is_grads_batched=True)

    with always():
        found = jacobians()
    with never():
        assert all(relative(*pair) <= 5e-6 for pair in zip(found, jacobians(), strict=True))


def test_checkpointed_and_hooked(layer: GroupConv2d) -> None:
    x = _x().requires_grad_()
    with always():
        y = torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False)
        (found,) = torch.autograd.grad(y.sum(), x)  # a gradient whose numbers are one number
    with never():
        (wanted,) = torch.autograd.grad(layer(x).sum(), x)
    assert relative(found, wanted) <= 5e-6
