"""Mixing features of the same irrep, point by point."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields.irreps import is_scalar
from equivlab.fields.space import IrrepPoints
from equivlab.nn.base import FieldModule, check_home

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

    def __init__(
        self,
        irreps_in: Any,
        irreps_out: Any,
        bias: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(IrrepPoints(irreps_in), IrrepPoints(irreps_out))
        into, out = self.in_field.irreps, self.out_field.irreps  # type: ignore[attr-defined]
        self.label = f"IrrepLinear({into} -> {out})"
        self._blocks = []  # (columns of the input, channels in, components, channels out)
        count = 0
        for m_out, irrep in out:
            cuts = [(c, m) for (m, i), c in zip(into, into.slices(), strict=True) if i == irrep]
            self._blocks.append((cuts, irrep.dim, m_out))
            count += sum(m for _, m in cuts) * m_out
        self.weight = nn.Parameter(torch.empty(count, device=device, dtype=dtype))
        self._scalars = [is_scalar(irrep) for _, irrep in out]
        size = sum(m for (m, _), s in zip(out, self._scalars, strict=True) if s) if bias else 0
        self.bias = nn.Parameter(torch.zeros(size, device=device, dtype=dtype)) if size else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights so that features of variance 1 give features of variance 1."""
        start = 0
        with torch.no_grad():
            for cuts, _, m_out in self._blocks:
                fan = sum(m for _, m in cuts)
                if fan:
                    self.weight[start : start + fan * m_out].normal_(0, 1 / math.sqrt(fan))
                start += fan * m_out

    def forward(self, x: Tensor) -> Tensor:
        """Mix ``(N, irreps_in.dim)``."""
        self.check(x)
        check_home(x, self.weight, self.label)
        parts, start, first = [], 0, 0
        for (cuts, dim, m_out), scalar in zip(self._blocks, self._scalars, strict=True):
            fan = sum(m for _, m in cuts)
            if not fan:
                parts.append(x.new_zeros(len(x), m_out * dim))
                continue
            fields = torch.cat([x[:, c].unflatten(1, (m, dim)) for c, m in cuts], 1)
            W = self.weight[start : start + fan * m_out].view(fan, m_out)
            mixed = (fields.transpose(1, 2) @ W).transpose(1, 2).flatten(1)  # (N, m_out·dim)
            if scalar and self.bias is not None:
                mixed = mixed + self.bias[first : first + m_out]
                first += m_out
            parts.append(mixed)
            start += fan * m_out
        return torch.cat(parts, 1)
