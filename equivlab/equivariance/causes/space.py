"""Why a layer breaks the law in space, on voxels and on points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equivlab.equivariance.causes.steps import wrong_steps
from equivlab.equivariance.containers import map_tensors, tensors_of
from equivlab.equivariance.error import equivariance_error
from equivlab.equivariance.recording import Call
from equivlab.fields import CartesianVectors, Field
from equivlab.fields.irreps import is_scalar
from equivlab.fields.space import IrrepField
from equivlab.nn.space import Neighbors

__all__ = ["cause_in_space"]

BENDS = tuple(
    kind
    for kind in vars(nn.modules.activation).values()
    if isinstance(kind, type) and issubclass(kind, nn.Module) and kind is not nn.Module
)
MAXIMA = (nn.MaxPool3d, nn.AdaptiveMaxPool3d, nn.MaxPool1d)
NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)
NEAR = 1e-4  # of the cutoff: nearer than this, rounding says who is a neighbour


def cause_in_space(call: Call, source: Field[Tensor] | None, elements: Sequence[Tensor]) -> str:
    """One sentence on why the layer breaks the law, and the remedy."""
    module = call.module
    given = call.inputs[0] if call.inputs else None
    steps = wrong_steps(module, given, "IrrepDownsample3d", "voxels")
    reasons = [steps, _at_the_cutoff(call), _on_components(module, source)]
    found = [reason for reason in reasons if reason]
    if not found:
        found = [reason for reason in (_constant(call, source, elements),) if reason]
    return " ".join(found) or (
        "its output depends on the axes; look for code that treats x, y and z, or the components "
        "of a feature, by number."
    )


def _on_components(module: nn.Module, source: Field[Tensor] | None) -> str | None:
    """What treats the components of a vector each by itself."""
    arrows = isinstance(source, CartesianVectors) or (
        isinstance(source, IrrepField) and not all(is_scalar(irrep) for _, irrep in source.irreps)
    )
    if arrows and isinstance(module, NORMS):
        return (
            "it has one statistic, scale and shift for each component of a vector, and a rotation "
            "mixes them. Use IrrepBatchNorm: one for each vector."
        )
    if arrows and isinstance(module, BENDS):
        return (
            "it bends each component of a vector by itself, which depends on the axes. Use "
            "IrrepGate, or IrrepNorms before it."
        )
    if arrows and isinstance(module, MAXIMA):
        return (
            "it takes the largest of each component, and components depend on the axes. Use "
            "IrrepAvgPool3d or IrrepDownsample3d."
        )
    if arrows and isinstance(module, nn.Linear):
        return (
            "it mixes the components of vectors with each other, and adds numbers to them. Use "
            "IrrepLinear, which mixes whole vectors, with a bias for scalars only."
        )
    if isinstance(module, nn.Conv3d):
        return "nothing ties its filters to their turned copies. Use SteerableConv3d."
    if isinstance(module, nn.Flatten | nn.Linear):
        return (
            "it has a number of its own for each voxel, and a rotation moves them. Average before "
            "it: IrrepReadout."
        )
    return None


def _at_the_cutoff(call: Call) -> str | None:
    """A pair of points so near to the cutoff that rounding says whether it is one."""
    given = [*call.inputs, *call.named.values()]
    own: object = getattr(call.module, "cutoff", None)
    for value in given:
        if isinstance(value, Neighbors):
            gaps, cutoff = value.distance(), value.cutoff
        elif isinstance(value, Tensor) and value.shape[-1:] == (3,) and value.is_floating_point():
            if not isinstance(own, int | float) or value.dim() != 2:
                continue
            gaps, cutoff = torch.cdist(value[:2000], value[:2000]).flatten(), float(own)
        else:
            continue
        off = (gaps - cutoff).abs() / cutoff
        if bool((off < NEAR).any()):
            at = float(gaps[off.argmin()])
            return (
                f"two points are {at:.6g} apart and its cutoff is {cutoff:.6g}, so rounding says "
                "whether they are neighbours. Use another cutoff, and let what a neighbour adds "
                "fade to 0 there, as PointConv does."
            )
    return None


def _constant(call: Call, source: Field[Tensor] | None, elements: Sequence[Tensor]) -> str | None:
    """Does the layer add something to vectors that does not turn with them?"""
    field = getattr(call.module, "out_field", None) or source
    if not isinstance(field, IrrepField | CartesianVectors):
        return None
    try:
        nothing = [map_tensors(_zero, one) for one in call.inputs]
        added = call.module(*nothing, **call.named)
        moved = [equivariance_error(field.act(g, added), added) for g in elements]
    except (RuntimeError, ValueError, TypeError, AttributeError):
        return None
    if not tensors_of(added) or max(moved) < 1e-3:
        return None
    return (
        "it adds a number to the components of vectors, and a vector that stays where it is does "
        "not turn. Only scalars 0e may have a bias."
    )


def _zero(x: Tensor) -> Tensor:
    return torch.zeros_like(x) if x.is_floating_point() else x
