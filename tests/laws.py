"""The law, stated once for every test: act and then apply, or apply and then act."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from equivlab.equivariance import assert_equivariant, equivariance_error
from equivlab.fields import Field, PlanarField
from equivlab.nn import FieldModule

#: Where the group permutes numbers; and where it mixes them, as rotations of space do.
BOUNDS = {torch.float32: 2e-6, torch.float64: 1e-13}
SPACE_BOUNDS = {torch.float32: 2e-6, torch.float64: 1e-12}

relative = equivariance_error  # as the tests call it


def sample(field: Field, size: int, dtype: torch.dtype = torch.float64, batch: int = 2) -> Tensor:
    """Random numbers on `field`, the same each time."""
    generator = torch.Generator().manual_seed(size)
    axes = (field.group.order,) if "Regular" in type(field).__name__ else ()
    shape = (batch, field.channels, *axes, size, size)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    return field.mask(x) if isinstance(field, PlanarField) else x  # of hexagons their cells


def assert_law(layer: FieldModule, x: Tensor) -> None:
    """The law for all elements, to the rounding of `x`; a message says who breaks it."""
    assert_equivariant(layer, x, tolerance=BOUNDS[x.dtype])


def law_error(
    layer: nn.Module,
    x: Tensor,
    elements: Iterable[object] | None = None,
    fields: tuple[Field, Field] | None = None,
) -> float:
    """The largest relative error of the law over all elements of the group, or some.

    `assert_equivariant` compares what the group acts on; this compares all numbers.
    """
    source, target = fields or (layer.in_field, layer.out_field)
    y = layer(x)
    return max(
        relative(layer(source.act(g, x)), target.act(g, y))
        for g in (source.group.elements if elements is None else elements)
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
    # A bias in front of a norm has gradient 0: all gradients in weights have one scale.
    worst = 0.0
    for g in layer.in_field.group.elements:
        x_too, *weights_too = gradients(layer.in_field.act(g, x), layer.out_field.act(g, v))
        worst = max(worst, relative(x_too, layer.in_field.act(g, of_x)))
        worst = max(worst, relative(weights_too, of_weights)) if weights else worst
    return worst
