"""The law of gradients on every field, in numbers that no turn changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equivlab.equivariance.arguments import prepare
from equivlab.equivariance.domains import planar_domain, rotation_domain
from equivlab.fields import Field, RotationMaps, SphereMaps, SpinMaps
from equivlab.fields.sphere import SphericalField
from equivlab.groups import CircleGroup, PointGroup
from equivlab.nn import FieldModule
from equivlab.sphere import s2_fft, so3_fft
from tests.nn.sphere.layers import white
from tests.sphere.spectra import on_so3


def invariant_gradients(
    layer: FieldModule, x: Tensor, u: Tensor, more: Sequence[Any]
) -> tuple[list[Tensor], list[Tensor]]:
    """Of ``⟨layer(x), v⟩``, before and after a turn: its slope along `u`, and in the weights.

    Turning ``x``, ``u`` and ``v`` together changes neither, as ``⟨·, ·⟩`` is invariant.
    """
    weights = list(layer.parameters())
    y = layer(x, *more).detach()
    spherical = isinstance(layer.out_field, SphericalField)
    v = white(layer.out_field, x.dtype) if spherical else y.flip(0, 1)
    inputs = (x, *more)
    fields: tuple[Any, Any] = (layer.in_field, layer.out_field)
    domain: Any
    if all(isinstance(field.group, PointGroup) for field in fields):
        # Between a group and a subgroup: what acts on both.
        domain = planar_domain(min((field.group for field in fields), key=lambda g: g.order))
        fields = (domain.adapt(fields[0]), domain.adapt(fields[1]))
    elif isinstance(layer.in_field.group, CircleGroup):
        domain = planar_domain(layer.in_field.group)
    else:
        domain = rotation_domain(layer, inputs, None)
    arguments = prepare(layer, inputs, {}, None, domain)

    def of(x: Tensor, u: Tensor, v: Tensor, more: Sequence[Any]) -> list[Tensor]:
        x = x.clone().requires_grad_()
        product = inner(layer.out_field, layer(x, *more), v)
        of_x, *of_weights = torch.autograd.grad(product, [x, *weights])
        return [(of_x * u).sum(), *of_weights]

    g = domain.elements[-1]
    turned = arguments.turned(g).inputs
    acted = (fields[0].act(g, u), fields[1].act(g, v))
    return of(x, u, v, more), of(turned[0], *acted, turned[1:])


def inner(field: Field[Any], a: Tensor, b: Tensor) -> Tensor:
    """``⟨a, b⟩``: of functions, not of samples; it is what turning preserves."""
    if isinstance(field, SphereMaps):
        return (s2_fft(a) * s2_fft(b)).sum()
    if isinstance(field, SpinMaps):
        a, b = on_so3(a), on_so3(b)
    if isinstance(field, SpinMaps | RotationMaps):
        pairs = zip(so3_fft(a), so3_fft(b), strict=True)
        return torch.stack([A.shape[-1] * (A * B).sum() for A, B in pairs]).sum()
    return (a * b).sum()
