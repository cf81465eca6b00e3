"""A linear layer on whole maps: what a dense layer after a flattened map becomes on a group."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.fields import RegularMaps
from equivlab.groups import PointGroup
from equivlab.nn.base import FieldModule, check_home, integer
from equivlab.nn.exact_tables import ExactTables

__all__ = ["GroupLinear"]


class GroupLinear(ExactTables, FieldModule):
    """Weigh all pixels of small maps at once, in every orientation.

    ``out[o, g] = bias[o] + Σ_i Σ_h Σ_y f[i, h, y] · ψ[o, i](g⁻¹h, g⁻¹y)``, which obeys
    ``layer(act(g, f)) == act(g, layer(f))`` on regular maps. It is the `GroupConv2d` whose filters
    are as large as the map; there is one place to put them, so the map is turned instead of the
    filters, which are many more (Cohen & Welling, ICML 2016, equation 11).

    Args:
        group: `P4` or `P4M`.
        in_channels: regular fields ``I`` of the input.
        out_channels: regular fields ``O`` of the output.
        size: rows and columns ``k`` of the input.
        bias: add one learned number to each field.
        device: where the weights live.
        dtype: their type.

    Shape:
        ``(B, I, G, k, k)`` to ``(B, O, G, 1, 1)``.

    Raises:
        ValueError: maps of another size, or a tensor of another kind, dtype or device.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> GroupLinear(P4, 8, 16, size=7)(torch.randn(2, 8, 4, 7, 7)).shape
    torch.Size([2, 16, 4, 1, 1])
    """

    in_field: RegularMaps
    turns: Tensor

    def __init__(
        self,
        group: PointGroup,
        in_channels: int,
        out_channels: int,
        size: int = 1,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        ins = integer(in_channels, "in_channels", "GroupLinear")
        outs = integer(out_channels, "out_channels", "GroupLinear")
        super().__init__(RegularMaps(group, ins), RegularMaps(group, outs))
        self.size = integer(size, "size", self.label)
        shape = (outs, ins * group.order, self.size, self.size)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias: nn.Parameter | None = None
        if bias:
            self.bias = nn.Parameter(torch.empty(outs, device=device, dtype=dtype))
        self.make_tables(self.weight)
        self.reset_parameters()

    def tables(self) -> dict[str, Tensor]:
        """Where the numbers of a map stand in it turned back by each element."""
        field, group = self.in_field, self.in_field.group
        shape = torch.Size((1, field.channels, group.order, self.size, self.size))
        places = torch.arange(shape.numel()).view(shape)
        back = [field.act(group.inverse(g), places).flatten() for g in group.elements]
        return {"turns": torch.cat(back)}

    def reset_parameters(self) -> None:
        """Draw the weights as `torch.nn.Linear` does, from a fan-in of ``I·G·k·k``."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            nn.init.uniform_(self.bias, -bound, bound)

    def check(self, x: Tensor) -> Tensor:
        """Return `x` if this layer can take it, else raise with the remedy."""
        super().check(x)
        if x.shape[-2:] != (self.size, self.size):
            pool = f"GroupAdaptiveAvgPool2d({self.in_field.group}, {self.in_field.channels}"
            raise ValueError(
                f"{self.label} takes maps of {self.size}×{self.size} pixels; got "
                f"{tuple(x.shape[-2:])}. Pool them first: {pool}, {self.size})"
            )
        check_home(x, self.weight, self.label)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Weigh ``(B, I, G, k, k)``."""
        group = self.in_field.group
        turned = self.check(x).flatten(1).index_select(1, self.turns)  # (B, G·I·G·k·k)
        rows = turned.view(len(x), group.order, -1)
        out = F.linear(rows, self.weight.flatten(1), self.bias)  # (B, G, O)
        return out.transpose(1, 2)[..., None, None].contiguous()

    def extra_repr(self) -> str:
        """The fields and the size, for `print(model)`."""
        parts = f"{super().extra_repr()}, size={self.size}"
        return parts + ("" if self.bias is not None else ", bias=False")
