"""Batch normalisation of irreps: scalars by mean and variance, all else by its length."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields.circle import CircleMaps
from equivlab.fields.irreps import is_scalar
from equivlab.fields.space import IrrepMaps, IrrepPoints
from equivlab.nn.base import FieldModule, check_home
from equivlab.nn.exact_tables import ExactTables
from equivlab.nn.running import Moments, RunningNorm
from equivlab.nn.space.gate import Kind, owners

__all__ = ["IrrepBatchNorm"]


class IrrepBatchNorm(ExactTables, RunningNorm, FieldModule):
    """Batch normalisation of irreps: scalars to mean 0, every component to variance 1.

    ``out = weight · (s − mean) / sqrt(var + eps) + bias`` for scalars ``0e``, and
    ``out = weight · v / sqrt(mean(|v|² / (2l + 1)) + eps)`` for every other feature, one number
    each, with means over batch and space. The length of a feature is invariant, so
    ``layer(act(g, f)) == act(g, layer(f))``, in training too (Weiler et al., NeurIPS 2018,
    section 4.3).

    Args:
        irreps: what the channels are.
        field: `IrrepMaps` or `IrrepPoints`; or `CircleMaps`, with `CircleIrreps`.
        eps: added to the variance, and to the mean square of a length.
        momentum: weight of the newest batch in the running statistics.
        affine: learn a ``weight`` for each feature and a ``bias`` for each scalar.
        center: subtract the mean of the scalars. False divides by their length instead and
            learns no bias, so that empty space stays empty: zeros then stand beyond the frame
            as they do inside it, and the frame leaves no trace of its corners.
        device: where they live.
        dtype: their type.

    Shape:
        ``(B, C, ...)`` to the same.

    Raises:
        ValueError: a tensor of another kind, dtype or device.
    """

    in_field: IrrepMaps | IrrepPoints | CircleMaps
    track_running_stats = True
    mean: Tensor
    var: Tensor
    num_batches_tracked: Tensor
    owner: Tensor
    scalars: Tensor

    def __init__(
        self,
        irreps: Any,
        field: Kind | type[CircleMaps] = IrrepMaps,
        eps: float = 1e-5,
        momentum: float = 0.1,
        *,
        affine: bool = True,
        center: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(field(irreps), field(irreps))
        found = self.in_field
        self.label = f"IrrepBatchNorm({found.irreps})"
        # Of each block of features: its channels, the size of a feature, does it have a mean?
        # Plain numbers, because torch.compile cannot look into irreps.
        self.blocks = [
            (cut.start, cut.stop, irrep.dim, center and is_scalar(irrep))
            for (_, irrep), cut in zip(found.irreps, found.irreps.slices(), strict=True)
        ]
        self.eps = eps
        self.momentum = momentum
        self.center = center
        self.weight: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None
        features = found.irreps.num_irreps
        scalars = sum(m for m, irrep in found.irreps if is_scalar(irrep))
        if affine:
            self.weight = nn.Parameter(torch.ones(features, device=device, dtype=dtype))
            if scalars and center:
                self.bias = nn.Parameter(torch.zeros(scalars, device=device, dtype=dtype))
        self.register_buffer("mean", torch.zeros(found.channels, device=device, dtype=dtype))
        self.register_buffer("var", torch.ones(features, device=device, dtype=dtype))
        count = torch.zeros((), dtype=torch.long, device=device)
        # For `renew_norms`; old files have none.
        self.register_buffer("num_batches_tracked", count, persistent=False)
        self.make_tables(self.mean)

    def tables(self) -> dict[str, Tensor]:
        """The feature of each channel, and the channels of the scalars."""
        owner, scalar = owners(self.in_field.irreps)
        return {"owner": owner, "scalars": scalar.nonzero()[:, 0]}

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(B, C, ...)``."""
        self.check(x)
        check_home(x, self.mean, self.label)
        return self.normalise(x)

    def kept(self) -> tuple[Tensor, Tensor]:
        """The running mean of each channel ``(C,)`` and power of each feature ``(F,)``."""
        return self.mean, self.var

    def affine_map(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift of each channel ``(C,)``: what the layer does, ``scale · x + shift``."""
        scale = torch.rsqrt(var + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        scale = scale[self.owner]
        shift = -mean * scale
        if self.bias is not None:
            shift = shift.index_add(0, self.scalars, self.bias)
        return scale, shift

    def moments(self, x: Tensor) -> Moments:
        """Of this batch: the mean of each channel, the mean power of each feature."""
        rows = x.flatten(2) if x.dim() > 2 else x.mT[None]  # (B, C, space), or (1, C, N)
        count = rows.shape[0] * rows.shape[2]
        means, powers = [], []
        for start, stop, dim, moves in self.blocks:
            part = rows[:, start:stop]
            mean = part.mean(2).mean(0) if moves else part.new_zeros(part.shape[1])
            centred = part - mean[:, None] if moves else part
            # A norm reads its input once; `torch.var_mean` takes 30 times as long.
            power = torch.linalg.vector_norm(centred, dim=2).square().sum(0) / count
            means.append(mean)
            powers.append(power.view(-1, dim).mean(1))
        return torch.cat(means), torch.cat(powers), count  # (C,), (F,)

    def between(self, difference: Tensor) -> Tensor:
        """Only scalars have a mean: the sum over a feature's channels is that of its first."""
        power = difference.new_zeros(len(self.var))
        return power.index_add(0, self.owner, difference.square())

    def kept_variance(self, var: Tensor, count: float) -> Tensor:
        """As measured: a power about the origin has no bias to correct."""
        return var

    def extra_repr(self) -> str:
        """The field and the settings, for `print(model)`."""
        changed = "" if self.center else ", center=False"
        changed += ", synced=True" if self.synced else ""
        return f"{self.in_field}, eps={self.eps}, momentum={self.momentum}{changed}"
