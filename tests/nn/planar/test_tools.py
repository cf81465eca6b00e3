"""The layers under torch's own tools: compile, export, autocast, vmap, second derivatives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from equivlab.groups import P4, P4M
from equivlab.models import P4CNN
from equivlab.nn import (
    GroupBatchNorm,
    GroupConv2d,
    GroupDownsample2d,
    GroupLayerNorm,
    GroupMaxPool2d,
    InvariantReadout,
    LiftingConv2d,
)
from tests.laws import relative


@pytest.fixture
def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        LiftingConv2d(P4M, 1, 2, 3, padding=1),
        GroupBatchNorm(P4M, 2),
        nn.ReLU(),
        GroupMaxPool2d(P4M, 2, 2),
        GroupConv2d(P4M, 2, 3, 3),
        GroupLayerNorm(P4M, 3),
        GroupDownsample2d(P4M, 3),
        InvariantReadout(P4M, 3),
    )


@pytest.fixture
def x() -> Tensor:
    return torch.randn(3, 1, 12, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def clean_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.usefixtures("clean_dynamo")
def test_compile_without_a_graph_break(net: nn.Module, x: Tensor) -> None:
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    net(x).square().sum().backward()
    wanted = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    compiled(x).square().sum().backward()
    for p, gradient in zip(net.parameters(), wanted, strict=True):
        assert torch.allclose(p.grad, gradient, atol=1e-4)
    net.eval()
    with torch.no_grad():
        net(x)  # a bank is remembered ...
        before = compiled(x)
        net[4].weight.mul_(2)
        net[4].bias.mul_(2)  # (the layer norm after it takes the factor away)
        net[0].weight.neg_()
        after = compiled(x)
    assert not torch.allclose(before, after)  # ... and the compiled network has no stale copy
    assert torch.allclose(after, net(x), atol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("clean_dynamo")
def test_export_with_any_batch_size(net: nn.Module, x: Tensor) -> None:
    net.eval()
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(net, (x,), dynamic_shapes=({0: batch},)).module()
    for size in (2, 5):
        more = torch.randn(size, 1, 12, 12)
        assert torch.allclose(exported(more), net(more), atol=1e-5)


def test_autocast(net: nn.Module, x: Tensor) -> None:
    net.eval()
    with torch.autocast("cpu", torch.bfloat16):
        low = net(x)
    assert net[0](x).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert net[0](x).dtype == torch.bfloat16
    assert relative(low, net(x)) < 0.05


def test_channels_last(net: nn.Module, x: Tensor) -> None:
    net.eval()
    wanted = net(x)
    found = net.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    assert relative(found, wanted) < 2e-6


def test_maps_stay_channels_last() -> None:
    layer = LiftingConv2d(P4, 3, 8, 3).to(memory_format=torch.channels_last)
    x = torch.randn(2, 3, 12, 12).to(memory_format=torch.channels_last)
    assert layer(x).flatten(1, 2).is_contiguous(memory_format=torch.channels_last)
    again = GroupConv2d(P4, 8, 8, 3).to(memory_format=torch.channels_last)
    y = again(layer(x)).flatten(1, 2)
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_second_derivatives() -> None:
    lift = LiftingConv2d(P4, 1, 1, 2, dtype=torch.float64)
    conv = GroupConv2d(P4M, 1, 1, 2, dtype=torch.float64)
    x = torch.randn(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    y = torch.randn(1, 1, 8, 3, 3, dtype=torch.float64, requires_grad=True)
    for layer, given in ((lift, x), (conv, y)):

        def energy(given: Tensor, weight: Tensor, layer: nn.Module = layer) -> Tensor:
            names = {"weight": weight}
            return torch.func.functional_call(layer, names, (given,)).pow(3).sum()

        assert torch.autograd.gradcheck(energy, (given, layer.weight))
        assert torch.autograd.gradgradcheck(energy, (given, layer.weight))


def test_per_sample_gradients_by_vmap(x: Tensor) -> None:
    layer = LiftingConv2d(P4, 1, 2, 3)
    weights = dict(layer.named_parameters())

    def loss(weights: dict[str, Tensor], one: Tensor) -> Tensor:
        return torch.func.functional_call(layer, weights, (one[None],)).square().sum()

    together = torch.func.vmap(torch.func.grad(loss), (None, 0))(weights, x)
    for n, one in enumerate(x):
        alone = torch.func.grad(loss)(weights, one)
        assert torch.allclose(together["weight"][n], alone["weight"], rtol=1e-4, atol=1e-4)


def test_made_on_meta_and_filled_later() -> None:
    torch.manual_seed(0)
    real = P4CNN()
    with torch.device("meta"):
        empty = P4CNN()
    empty.to_empty(device="cpu").load_state_dict(real.state_dict())
    x = torch.randn(2, 1, 28, 28)
    assert torch.equal(real.eval()(x), empty.eval()(x))


def test_device_and_dtype_arguments() -> None:
    layer = GroupConv2d(P4, 1, 2, 3, device="meta", dtype=torch.bfloat16)
    assert layer.weight.dtype == torch.bfloat16
    assert layer.weight.device.type == layer.filter_index.device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu(net: nn.Module, x: Tensor) -> None:
    wanted = net.eval()(x)
    assert relative(net.cuda()(x.cuda()).cpu(), wanted) < 1e-4
