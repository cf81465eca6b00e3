"""The twin itself: an ordinary module around a graph of layers."""

from __future__ import annotations

from torch import Tensor, fx, nn

from equivlab.fields import Invariant, ScalarMaps
from equivlab.groups import PointGroup
from equivlab.transfer.twin.report import TwinReport

__all__ = ["EquivariantTwin"]


class EquivariantTwin(nn.Module):
    """A network on a group that was written after a plain one, by `equivariant_twin`.

    ``twin(act(g, x)) == act(g, twin(x))``: scores stay as they are, maps turn along.

    Attributes:
        network: the layers, by the names that they have in the plain network, and the graph.
        in_field: what it takes.
        out_field: what it gives; None where that is several tensors.
        report: what became of the plain network's layers.

    Shape:
        ``(B, C, H, W)`` to what the plain network gives.
    """

    def __init__(
        self,
        network: fx.GraphModule,
        in_field: ScalarMaps,
        out_field: Invariant[int] | ScalarMaps | None,
        report: TwinReport,
    ) -> None:
        super().__init__()
        self.network = network
        self.in_field = in_field
        self.out_field = out_field
        self.report = report

    @property
    def group(self) -> PointGroup:
        """The group of the twin."""
        return self.in_field.group

    def forward(self, x: Tensor) -> Tensor:
        """What the plain network gives, made equivariant."""
        out: Tensor = self.network(self.in_field.validate(x, "EquivariantTwin"))
        return out

    def extra_repr(self) -> str:
        """The fields, for `print(model)`."""
        return f"{self.in_field} -> {self.out_field}"
