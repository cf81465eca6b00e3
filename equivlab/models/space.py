"""Networks for shapes and molecules: steerable on voxels, their plain twin, and on points.

>>> count = lambda model: sum(p.numel() for p in model.parameters())
>>> count(SteerableCNN3d()), count(PlainCNN3d())
(8103, 8234)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields.invariant import Invariant
from equivlab.fields.space import IrrepMaps
from equivlab.models.placing import place
from equivlab.models.sizes import EvenSize
from equivlab.nn.space.conv import SteerableConv3d
from equivlab.nn.space.gate import IrrepGate
from equivlab.nn.space.norm import IrrepBatchNorm
from equivlab.nn.space.pool import IrrepDownsample3d, IrrepReadout
from equivlab.so3 import SO3

__all__ = ["PlainCNN3d", "SmoothSteerableCNN3d", "SteerableCNN3d"]

KERNELS = (5, 5, 3, 3)
HALVE_AFTER = (1,)
STAGES = ("6x0e + 3x1o + 2x2e", "10x0e + 5x1o + 3x2e", "16x0e + 8x1o + 4x2e", "32x0e + 8x1o + 4x2e")
SMOOTH_STAGES = ("6x0e + 3x1o + 2x2e", "10x0e + 5x1o + 3x2e", "32x0e + 8x1o + 4x2e")
# Third derivatives of a Gaussian of width 1 still alias by some hundredths, which training makes
# worse; of width 1.4 by a thousandth. Three and a half widths reach on each side.
SMOOTH_WINDOWS: tuple[dict[str, Any], ...] = (
    {"kernel_size": 11, "padding": 5, "width": 1.4},
    {"kernel_size": 20, "padding": 9, "width": 2.6, "stride": 2},
    {"kernel_size": 11, "padding": 5, "width": 1.4},
)
EQUAL_PARAMETERS = (4, 5, 6, 16)  # widths of the plain twin
EQUAL_WIDTH = (25, 40, 60, 76)  # as many channels as STAGES
HEAD = 64


class SteerableCNN3d(nn.Module):
    """A steerable network for voxel shapes, after Weiler et al. (NeurIPS 2018, section 5).

    Four steerable convolutions with batch normalisation and gates, halved with a low-pass after
    the first, then scalars and lengths averaged over space, normalised, and two
    ordinary layers to the class scores. ``model(act(g, x)) == model(x)``, exactly for the 24
    rotations of the cube, nearly for all others.

    Args:
        irreps: after each convolution, by default ``"6x0e + 3x1o + 2x2e"``, ``"10x0e + 5x1o +
            3x2e"``, ``"16x0e + 8x1o + 4x2e"`` and ``"32x0e + 8x1o + 4x2e"``.
        in_channels: scalars at each voxel of the input.
        classes: class scores.
        kernel_sizes: of the convolutions, by default 5, 5, 3 and 3.
        dropout: probability to drop a number before each ordinary layer in training.
        size: voxels a side, where known: then `equivlab.transfer.to_plain` can convert it.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, D, D, D)`` to ``(B, classes)``.

    Raises:
        ValueError: another kind of tensor or size; as many stages as kernel sizes are needed.
    """

    def __init__(
        self,
        irreps: Sequence[str] = STAGES,
        in_channels: int = 1,
        classes: int = 10,
        *,
        kernel_sizes: Sequence[int] = KERNELS,
        dropout: float = 0.0,
        size: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _check_stages(irreps, kernel_sizes)
        self.in_field = IrrepMaps(f"{in_channels}x0e")
        self.out_field = Invariant(SO3, classes)
        before: Any = self.in_field.irreps
        layers: list[nn.Module] = []
        for number, (stage, k) in enumerate(zip(irreps, kernel_sizes, strict=True), 1):
            gate = IrrepGate(stage)
            conv = SteerableConv3d(before, gate.irreps_in, k, padding=k // 2, bias=False)
            layers += [conv, IrrepBatchNorm(gate.irreps_in, center=False), gate]
            before = gate.out_field.irreps
            if number in HALVE_AFTER:
                layers.append(IrrepDownsample3d(before, size=size))
                size = None if size is None else -(-size // 2)
        self.features = nn.Sequential(*layers)
        self.readout = IrrepReadout(before)
        self.head = _head(before.num_irreps, classes, dropout)
        place(self, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores ``(B, classes)`` of shapes ``(B, in_channels, D, D, D)``."""
        scores: Tensor = self.head(self.readout(self.features(x)))
        return scores


class SmoothSteerableCNN3d(nn.Module):
    """A steerable network that keeps free rotations: low-pass kernels, smooth read-outs.

    Three steerable convolutions with Gaussian profiles wide enough for their grid, normalised and
    gated; the second steps by 2, with kernels of twice the width. The head reads the mean of the
    scalars and the root mean square of every feature after *each* of them: the first are the
    most exact. ``model(act(g, x)) == model(x)``, exactly for the 24 rotations of the cube, and
    nearly for all others, of shapes that the grid resolves and that leave a frame of a few voxels.

    Args:
        irreps: after each convolution, by default ``"6x0e + 3x1o + 2x2e"``, ``"10x0e + 5x1o +
            3x2e"`` and ``"32x0e + 8x1o + 4x2e"``.
        in_channels: scalars at each voxel of the input.
        classes: class scores.
        dropout: probability to drop a number before each ordinary layer in training.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, D, D, D)`` with an even ``D`` to ``(B, classes)``.

    Raises:
        ValueError: another kind of tensor, or an odd size.
    """

    def __init__(
        self,
        irreps: Sequence[str] = SMOOTH_STAGES,
        in_channels: int = 1,
        classes: int = 10,
        *,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _check_stages(irreps, SMOOTH_WINDOWS)
        self.in_field = IrrepMaps(f"{in_channels}x0e")
        self.out_field = Invariant(SO3, classes)
        before: Any = self.in_field.irreps
        self.even = EvenSize("SmoothSteerableCNN3d")
        self.stages, self.readouts = nn.ModuleList(), nn.ModuleList()
        self.scalars: list[int] = []  # of each stage, the first of its channels
        numbers = 0
        for stage, window in zip(irreps, SMOOTH_WINDOWS, strict=True):
            gate = IrrepGate(stage)
            conv = SteerableConv3d(before, gate.irreps_in, bias=False, profile="gaussian", **window)
            norm = IrrepBatchNorm(gate.irreps_in, center=False)
            self.stages.append(nn.Sequential(conv, norm, gate))
            before = gate.out_field.irreps
            self.readouts.append(IrrepReadout(before, "rms"))
            self.scalars.append(gate.sizes[0])
            numbers += before.num_irreps + gate.sizes[0]
        self.head = _head(numbers, classes, dropout)
        place(self, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores ``(B, classes)`` of shapes ``(B, in_channels, D, D, D)``."""
        x = self.even(x)
        numbers = []
        for stage, readout, scalars in zip(self.stages, self.readouts, self.scalars, strict=True):
            x = stage(x)
            numbers += [x[:, :scalars].mean((2, 3, 4)), readout(x)]
        scores: Tensor = self.head(torch.cat(numbers, 1))
        return scores


class PlainCNN3d(nn.Module):
    """The twin of `SteerableCNN3d` from ordinary `nn.Conv3d`: same depth, kernels and steps.

    Args:
        in_channels: channels of the input.
        classes: class scores.
        widths: channels after each convolution; by default 4, 5, 6 and 16, which give as many
            parameters as the steerable network has. 25, 40, 60 and 76 are as many channels.
        kernel_sizes: of the convolutions, by default 5, 5, 3 and 3.
        dropout: as of `SteerableCNN3d`.
        size: as of `SteerableCNN3d`.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, D, D, D)`` to ``(B, classes)``.
    """

    def __init__(
        self,
        in_channels: int = 1,
        classes: int = 10,
        widths: Sequence[int] = EQUAL_PARAMETERS,
        *,
        kernel_sizes: Sequence[int] = KERNELS,
        dropout: float = 0.0,
        size: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _check_stages(widths, kernel_sizes)
        layers: list[nn.Module] = []
        before = in_channels
        for number, (width, k) in enumerate(zip(widths, kernel_sizes, strict=True), 1):
            conv = nn.Conv3d(before, width, k, padding=k // 2, bias=False)
            layers += [conv, nn.BatchNorm3d(width), nn.SiLU()]
            if number in HALVE_AFTER:
                layers.append(IrrepDownsample3d(f"{width}x0e", size=size))
                size = None if size is None else -(-size // 2)
            before = width
        self.features = nn.Sequential(*layers)
        self.readout = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten())
        self.head = _head(before, classes, dropout)
        place(self, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores ``(B, classes)`` of shapes ``(B, in_channels, D, D, D)``."""
        scores: Tensor = self.head(self.readout(self.features(x)))
        return scores


def _check_stages(stages: Sequence[object], kernel_sizes: Sequence[object]) -> None:
    if isinstance(stages, int | str):
        raise ValueError(
            f"The network takes a list, what comes after each convolution; got {stages!r}. The "
            "number of classes goes by its name: classes=10."
        )
    if len(stages) != len(kernel_sizes):
        raise ValueError(
            f"The network takes one kernel size for each stage; got {len(stages)} stages and "
            f"kernel_sizes={tuple(kernel_sizes)}."
        )


def _head(features: int, classes: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm1d(features),  # averages over space differ little: spread them
        nn.Dropout(dropout),
        nn.Linear(features, HEAD),
        nn.SiLU(),
        nn.Dropout(dropout),
        nn.Linear(HEAD, classes),
    )
