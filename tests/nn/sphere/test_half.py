"""Half precision on the sphere: computed in float32, and given back in the type that came."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from equivlab.nn import (
    HealpixToSphere,
    S2Conv,
    S2Moments,
    SO3Activation,
    SO3Conv,
    SO3Integrate,
    SO3Moments,
    SpinActivation,
    SpinConv,
)
from tests.laws import relative

EPS = {torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
SPHERE, ROTATIONS, SPIN = (2, 2, 8, 8), (2, 2, 8, 8, 8), (2, 2, 3, 8, 8)

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "S2Conv": (lambda: S2Conv(2, 3, 4, 4), SPHERE),
    "SO3Conv": (lambda: SO3Conv(2, 3, 4, 4), ROTATIONS),
    "SpinConv": (lambda: SpinConv(2, 3, 4, 4, 1, 1), SPIN),
    "SpinActivation": (lambda: SpinActivation(2, 4, 1), SPIN),
    "SO3Activation": (lambda: SO3Activation(2, 4), ROTATIONS),
    "SO3Integrate": (lambda: SO3Integrate(2, 4), ROTATIONS),
    "SO3Moments": (lambda: SO3Moments(2, 4, tilts=(1.0,)), ROTATIONS),
    "S2Moments": (lambda: S2Moments(2, 4), SPHERE),
    "HealpixToSphere": (lambda: HealpixToSphere(2, 4, 4), (2, 2, 192)),
}


def white(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("dtype", EPS, ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_only_what_comes_out_is_rounded(name: str, dtype: torch.dtype) -> None:
    """Weights and input rounded to `dtype`, all else as in float32."""
    make, shape = LAYERS[name]
    torch.manual_seed(0)
    layer = make().to(dtype)
    x = white(shape, dtype)
    found = layer(x)
    wanted = layer.float()(x.float())  # the same numbers: widening loses nothing
    assert found.dtype == dtype
    assert wanted.dtype == torch.float32
    assert 0 < relative(found, wanted) < EPS[dtype]


@pytest.mark.parametrize("dtype", EPS, ids=str)
def test_layers_of_half_precision_follow_each_other(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        S2Conv(2, 3, 4, 4), SO3Activation(3, 4), SO3Conv(3, 3, 4, 4), nn.ReLU(), SO3Integrate(3, 4)
    ).to(dtype)
    x = white(SPHERE, dtype).requires_grad_()
    y = net(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype
    assert bool(torch.isfinite(x.grad).all())


@pytest.mark.parametrize("name", ["S2Conv", "SO3Conv", "SpinConv"])
def test_the_remedy_works(name: str) -> None:
    """Do what the message says, either of the two, and the call succeeds."""
    make, shape = LAYERS[name]
    x = white(shape, torch.float16)
    with pytest.raises(
        ValueError, match=r"weights of torch\.float32; got an input of torch\.float16"
    ):
        make()(x)
    assert make()(x.to(torch.float32)).dtype == torch.float32
    assert make().to(torch.float16)(x).dtype == torch.float16
    with pytest.raises(
        ValueError, match=r"weights of torch\.float16; got an input of torch\.float32"
    ):
        make().half()(x.float())


@pytest.mark.parametrize("dtype", EPS, ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_under_autocast_the_law_is_kept(name: str, dtype: torch.dtype) -> None:
    make, shape = LAYERS[name]
    torch.manual_seed(0)
    layer = make()
    x = white(shape, torch.float32)
    with torch.autocast("cpu", dtype):
        found = layer(x)
    assert relative(found, layer(x)) < 1e-6
