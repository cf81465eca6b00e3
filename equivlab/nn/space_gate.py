"""Activation and normalisation of irreps: only what a rotation does not change may bend.

A ReLU on the components of a vector would depend on the axes. Scalars ``0e`` take any function;
anything else is scaled as a whole, by a learned gate or by its length. These layers look at
axis 1 alone, so they serve maps ``(B, C, D, H, W)`` and points ``(N, C)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.fields.irreps import as_irreps, is_scalar
from equivlab.fields.space import IrrepMaps, IrrepPoints
from equivlab.nn.base import FieldModule, check_home

__all__ = ["IrrepBatchNorm", "IrrepGate", "IrrepNorms"]

Kind = type[IrrepMaps] | type[IrrepPoints]


class IrrepGate(FieldModule):
    """Gated activation: scalars by a function, all else times a gate between 0 and 1.

    ``out = act(s)`` for each scalar ``0e`` and ``out = sigmoid(gate) · v`` for every other
    feature, each with a gate of its own among the input channels, so
    ``layer(act(g, f)) == act(g, layer(f))`` for every rotation and mirror (Weiler et al.,
    NeurIPS 2018, section 4.3).

    Args:
        irreps: what comes out. `irreps_in` is what must go in: the scalars, one more scalar
            ``0e`` for each other feature, and those features.
        field: `IrrepMaps` or `IrrepPoints`.
        activation: the function for the scalars.

    Shape:
        ``(B, irreps_in.dim, ...)`` to ``(B, irreps.dim, ...)``.

    Raises:
        ValueError: a tensor of another kind.

    >>> gate = IrrepGate("8x0e + 4x1o")
    >>> gate
    IrrepGate(IrrepMaps('8x0e+4x0e+4x1o') -> IrrepMaps('8x0e+4x1o'))
    >>> gate(torch.randn(1, gate.irreps_in.dim, 5, 5, 5)).shape
    torch.Size([1, 20, 5, 5, 5])
    """

    in_field: IrrepMaps | IrrepPoints
    out_field: IrrepMaps | IrrepPoints

    def __init__(
        self,
        irreps: Any,
        field: Kind = IrrepMaps,
        activation: Callable[[Tensor], Tensor] = F.silu,
    ) -> None:
        irreps = as_irreps(irreps, "IrrepGate")
        scalars, gated = split_scalars(irreps)
        gates = as_irreps(f"{gated.num_irreps}x0e") if gated.dim else gated
        super().__init__(field(scalars + gates + gated), field(scalars + gated))
        self.label = f"IrrepGate({self.out_field.irreps})"
        self.activation = activation
        self.sizes = [scalars.dim, gates.dim, gated.dim]
        self._gated = gated

    @property
    def irreps_in(self) -> Any:
        """The irreps to feed it: give the layer before these as its ``irreps_out``."""
        return self.in_field.irreps

    def gate_of_channel(self) -> Tensor:
        """The number of the gate of each gated channel."""
        return _owners(self._gated)[0]

    def forward(self, x: Tensor) -> Tensor:
        """Gate ``(B, irreps_in.dim, ...)``."""
        self.check(x)
        scalars, gates, rest = x.split(self.sizes, 1)
        out = [self.activation(scalars)] if self.sizes[0] else []
        out += _scaled(self._gated, rest, torch.sigmoid(gates))
        return torch.cat(out, 1)


class IrrepBatchNorm(FieldModule):
    """Batch normalisation of irreps: scalars to mean 0 and variance 1, all else to length 1.

    ``out = weight · (s − mean) / sqrt(var + eps) + bias`` for scalars ``0e``, and
    ``out = weight · v / sqrt(mean(|v|² / (2l + 1)) + eps)`` for every other feature, one number
    each, with means over batch and space. The length of a feature is invariant, so
    ``layer(act(g, f)) == act(g, layer(f))``, in training too (Weiler et al., NeurIPS 2018,
    section 4.3).

    Args:
        irreps: what the channels are.
        field: `IrrepMaps` or `IrrepPoints`.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
        affine: learn ``weight`` for each feature and ``bias`` for each scalar.
        centre: subtract the mean of the scalars. False divides by their length instead and
            learns no bias, so that empty space stays empty: zeros then stand beyond the frame
            as they do inside it, and the frame leaves no trace of its corners.
        device: where they live.
        dtype: their type.

    Shape:
        ``(B, C, ...)`` to the same.

    Raises:
        ValueError: a tensor of another kind, dtype or device.
    """

    in_field: IrrepMaps | IrrepPoints
    mean: Tensor
    var: Tensor
    owner: Tensor
    is_scalar: Tensor

    def __init__(
        self,
        irreps: Any,
        field: Kind = IrrepMaps,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        centre: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(field(irreps), field(irreps))
        found = self.in_field
        self.label = f"IrrepBatchNorm({found.irreps})"
        self.eps = eps
        self.momentum = momentum
        self.centre = centre
        self.weight: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None
        features = found.irreps.num_irreps
        scalars = sum(m for m, irrep in found.irreps if is_scalar(irrep))
        if affine:
            self.weight = nn.Parameter(torch.ones(features, device=device, dtype=dtype))
            if scalars and centre:
                self.bias = nn.Parameter(torch.zeros(scalars, device=device, dtype=dtype))
        self.register_buffer("mean", torch.zeros(found.channels, device=device, dtype=dtype))
        self.register_buffer("var", torch.ones(features, device=device, dtype=dtype))
        owner, scalar = _owners(found.irreps)
        self.register_buffer("owner", owner.to(device=device), persistent=False)
        self.register_buffer("is_scalar", scalar.to(device=device), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(B, C, ...)``."""
        self.check(x)
        check_home(x, self.mean, self.label)
        mean, var = self._statistics(x) if self.training else (self.mean, self.var)
        scale, shift = self.channel_affine(mean, var)
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return torch.addcmul(shift.view(shape), x, scale.view(shape))

    def channel_affine(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift of each channel ``(C,)``: what the layer does, ``scale · x + shift``."""
        scale = torch.rsqrt(var + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        scale = scale[self.owner]
        shift = -mean * scale
        if self.bias is not None:
            shift = shift.index_add(0, self.is_scalar.nonzero()[:, 0], self.bias)
        return scale, shift

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of this batch: the mean of each channel, the mean power of each feature."""
        rows = x.flatten(2) if x.dim() > 2 else x.mT[None]  # (B, C, space), or (1, C, N)
        count = rows.shape[0] * rows.shape[2]
        means, powers = [], []
        for (_, irrep), cut in zip(
            self.in_field.irreps, self.in_field.irreps.slices(), strict=True
        ):
            part = rows[:, cut]
            moves = self.centre and is_scalar(irrep)
            mean = part.mean(2).mean(0) if moves else part.new_zeros(part.shape[1])
            centred = part - mean[:, None] if moves else part
            # A norm reads its input once; `torch.var_mean` takes 30 times as long.
            power = torch.linalg.vector_norm(centred, dim=2).square().sum(0) / count
            means.append(mean)
            powers.append(power.view(-1, irrep.dim).mean(1))
        mean, var = torch.cat(means), torch.cat(powers)  # (C,), (F,)
        with torch.no_grad():
            self.mean.lerp_(mean.to(self.mean.dtype), self.momentum)
            self.var.lerp_(var.to(self.var.dtype), self.momentum)
        return mean, var

    def extra_repr(self) -> str:
        """The field and the settings, for `print(model)`."""
        centre = "" if self.centre else ", centre=False"
        return f"{self.in_field}, eps={self.eps}, momentum={self.momentum}{centre}"


class IrrepNorms(FieldModule):
    """The invariants of each feature where it stands: scalars themselves, lengths of all else.

    ``out = s`` for ``0e`` and ``out = |v|`` for every other feature, so
    ``layer(act(g, f)) == act(g, layer(f))`` from any irreps to scalars.

    Args:
        irreps: what the channels are.
        field: `IrrepMaps` or `IrrepPoints`.

    Shape:
        ``(B, C, ...)`` to ``(B, F, ...)``, one number for each of the ``F`` features.

    Raises:
        ValueError: a tensor of another kind.
    """

    in_field: IrrepMaps | IrrepPoints

    def __init__(self, irreps: Any, field: Kind = IrrepMaps) -> None:
        irreps = as_irreps(irreps, "IrrepNorms")
        super().__init__(field(irreps), field(f"{irreps.num_irreps}x0e"))
        self.label = f"IrrepNorms({irreps})"

    def forward(self, x: Tensor) -> Tensor:
        """Lengths of ``(B, C, ...)``."""
        return invariants(self.in_field.irreps, self.check(x))


def invariants(irreps: Any, x: Tensor) -> Tensor:
    """Scalars and lengths ``(B, F, ...)`` of features ``(B, C, ...)``; the slope at 0 is 0."""
    parts = []
    for (multiplicity, irrep), part in zip(irreps, split_blocks(irreps, x), strict=True):
        if not is_scalar(irrep):
            part = torch.linalg.vector_norm(part.unflatten(1, (multiplicity, irrep.dim)), dim=2)
        parts.append(part)
    return torch.cat(parts, 1)


def split_blocks(irreps: Any, x: Tensor) -> tuple[Tensor, ...]:
    """Axis 1 of `x` ``(B, C, ...)`` cut into the blocks of the irreps."""
    sizes = [multiplicity * irrep.dim for multiplicity, irrep in irreps]
    return tuple(x.split(sizes, 1))


def split_scalars(irreps: Any) -> tuple[Any, Any]:
    """The true scalars ``0e`` of some irreps, and all else."""
    kind = type(irreps)
    scalars = kind([(m, irrep) for m, irrep in irreps if is_scalar(irrep)]).simplify()
    return scalars, kind([(m, irrep) for m, irrep in irreps if not is_scalar(irrep)])


def _scaled(irreps: Any, x: Tensor, factors: Tensor) -> list[Tensor]:
    """Each feature of `x` ``(B, C, ...)`` times its factor ``(B, F, ...)``, block by block."""
    parts = []
    each = factors.split([multiplicity for multiplicity, _ in irreps], 1)
    for (multiplicity, irrep), part, factor in zip(
        irreps, split_blocks(irreps, x), each, strict=True
    ):
        fields = part.unflatten(1, (multiplicity, irrep.dim))
        parts.append((fields * factor[:, :, None]).flatten(1, 2))
    return parts


def _owners(irreps: Any) -> tuple[Tensor, Tensor]:
    """For each channel, the number of its feature, and whether that is a true scalar."""
    sizes = [irrep.dim for m, irrep in irreps for _ in range(m)]
    scalars = [is_scalar(irrep) for m, irrep in irreps for _ in range(m)]
    repeats = torch.tensor(sizes, dtype=torch.long)
    owner = torch.arange(len(sizes)).repeat_interleave(repeats)
    return owner, torch.tensor(scalars, dtype=torch.bool)[owner]
