"""The law, stated once for every test: act and then apply, or apply and then act."""

from __future__ import annotations

import torch
from torch import Tensor

from equivlab.fields import Field
from equivlab.nn import FieldModule

BOUNDS = {torch.float32: 2e-6, torch.float64: 1e-13}


def relative(found: Tensor, wanted: Tensor) -> float:
    """``|found − wanted| / |wanted|``, in double precision."""
    assert found.shape == wanted.shape
    found, wanted = found.detach().double(), wanted.detach().double()
    off = torch.linalg.vector_norm(found - wanted)
    return float(off / torch.linalg.vector_norm(wanted).clamp_min(1e-300))


def sample(field: Field, size: int, dtype: torch.dtype = torch.float64, batch: int = 2) -> Tensor:
    """Random numbers on `field`, the same each time."""
    generator = torch.Generator().manual_seed(size)
    axes = (field.group.order,) if "Regular" in type(field).__name__ else ()
    shape = (batch, field.channels, *axes, size, size)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def law_error(layer: FieldModule, x: Tensor) -> float:
    """The largest relative error of the law over all elements of the group."""
    y = layer(x)
    return max(
        relative(layer(layer.in_field.act(g, x)), layer.out_field.act(g, y))
        for g in layer.in_field.group.elements
    )


def gradient_law_error(layer: FieldModule, x: Tensor) -> float:
    """The same for the gradients: that of the input turns with it, the weights' stays.

    For the loss ``⟨v, layer(x)⟩`` the gradient at ``(g·v, g·x)`` in the input is ``g`` times
    the one at ``(v, x)``, and those in the weights are equal.
    """
    weights = list(layer.parameters())

    def gradients(x: Tensor, v: Tensor) -> list[Tensor]:
        x = x.clone().requires_grad_()
        return list(torch.autograd.grad((layer(x) * v).sum(), [x, *weights]))

    y = layer(x)
    v = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    v = v.to(y)
    of_x, *of_weights = gradients(x, v)
    worst = 0.0
    for g in layer.in_field.group.elements:
        x_too, *weights_too = gradients(layer.in_field.act(g, x), layer.out_field.act(g, v))
        worst = max(worst, relative(x_too, layer.in_field.act(g, of_x)))
        worst = max([worst, *map(relative, weights_too, of_weights)])
    return worst
