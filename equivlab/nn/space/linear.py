"""Mixing features of the same irrep, point by point."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from equivlab.fields.irreps import Irreps
from equivlab.fields.space import IrrepPoints
from equivlab.nn.base import FieldModule, check_home
from equivlab.nn.space.features import features_of

__all__ = ["IrrepLinear"]


class IrrepLinear(FieldModule):
    """Mix features of the same irrep, point by point; no bias but for scalars.

    ``out_v = Σ_u W[u, v] f_u`` where irreps match, so ``layer(act(g, f)) == act(g, layer(f))``.
    (`e3nn.o3.Linear` without its code generation; the tests compare them.)

    Args:
        irreps_in: what the input channels are.
        irreps_out: what the output channels are; an irrep that the input lacks comes out 0.
        bias: add a learned number to each scalar ``0e``.
        device: where the weights live.
        dtype: their type.

    Shape:
        ``(N, irreps_in.dim)`` to ``(N, irreps_out.dim)``.

    Raises:
        ValueError: a tensor of another kind, dtype or device.
    """

    in_field: IrrepPoints
    out_field: IrrepPoints

    def __init__(
        self,
        irreps_in: Irreps | str,
        irreps_out: Irreps | str,
        bias: bool = False,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(IrrepPoints(irreps_in), IrrepPoints(irreps_out))
        self.label = f"IrrepLinear({self.in_field.irreps} -> {self.out_field.irreps})"
        into, out = features_of(self.in_field.irreps), features_of(self.out_field.irreps)
        self._blocks = []  # (what it is made of, what is made)
        count = 0
        for made in out:
            like = (made.degree, made.parity)
            sources = [block for block in into if (block.degree, block.parity) == like]
            self._blocks.append((sources, made))
            count += sum(block.count for block in sources) * made.count
        self.weight = nn.Parameter(torch.empty(count, device=device, dtype=dtype))
        size = sum(made.count for made in out if made.is_scalar) if bias else 0
        self.bias = nn.Parameter(torch.zeros(size, device=device, dtype=dtype)) if size else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights so that features of variance 1 give features of variance 1."""
        start = 0
        with torch.no_grad():
            for sources, made in self._blocks:
                fan = sum(block.count for block in sources)
                if fan:
                    self.weight[start : start + fan * made.count].normal_(0, 1 / math.sqrt(fan))
                start += fan * made.count

    def forward(self, x: Tensor) -> Tensor:
        """Mix ``(N, irreps_in.dim)``."""
        self.check(x)
        check_home(x, self.weight, self.label)
        parts, start, first = [], 0, 0
        for sources, made in self._blocks:
            fan, m_out = sum(block.count for block in sources), made.count
            if not fan:
                parts.append(x.new_zeros(len(x), made.channels))
                continue
            fields = torch.cat([x[:, b.cut].unflatten(1, (b.count, b.dim)) for b in sources], 1)
            W = self.weight[start : start + fan * m_out].view(fan, m_out)
            mixed = (fields.transpose(1, 2) @ W).transpose(1, 2).flatten(1)  # (N, m_out·dim)
            if made.is_scalar and self.bias is not None:
                mixed = mixed + self.bias[first : first + m_out]
                first += m_out
            parts.append(mixed)
            start += fan * m_out
        return torch.cat(parts, 1)
