"""All turns of the plane: representations of SO(2) and O(2) on pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from equivlab.equivariance.causes.planar import likely_cause
from equivlab.equivariance.domains.base import Domain
from equivlab.equivariance.domains.planar import ANGLES
from equivlab.equivariance.recording import Call
from equivlab.fields import CircleMaps, Field, Invariant
from equivlab.groups import P4, P4M, CircleGroup

__all__ = ["CircleDomain"]


class CircleDomain(Domain[Tensor]):
    """Images and representations of SO(2) or O(2), under quarter turns (and mirrors), or others.

    What any other turn does to pixels is no law but an approximation; it is on the curve of all
    angles, beside what resampling alone costs.
    """

    usual_angles = ANGLES

    def __init__(
        self, group: CircleGroup, elements: Sequence[Tensor] | Tensor | None = None
    ) -> None:
        self.group: CircleGroup = group
        chosen = group.quarter_turns if elements is None else list(elements)
        self.elements = [group.check(torch.as_tensor(g)) for g in chosen]
        self.names = [group.element_name(g) for g in self.elements]
        self.wanted = (
            f"audit(model, x, {group}) takes images (B, C, H, W); got {{shape}}. Add the batch "
            "axis, x[None], or say what it is: in_field="
        )

    def kinds(self, y: Tensor) -> list[Field[Tensor]]:
        if y.dim() in (1, 2):
            return [Invariant(self.group, y.shape[-1] if y.dim() == 2 else 1)]
        return [CircleMaps(f"{y.shape[1]}x0", self.group)] if y.dim() == 4 else []

    def adapt(self, field: object) -> Field[Tensor] | None:
        """A field that a layer says it has, if this group acts on it."""
        if isinstance(field, CircleMaps | Invariant) and field.group == self.group:
            return field
        return None

    def cause(self, call: Call, source: Field[Tensor] | None, own: float) -> str:
        square = P4M if self.group.has_mirror else P4
        return likely_cause(call.module, call.inputs[0] if call.inputs else None, square)
