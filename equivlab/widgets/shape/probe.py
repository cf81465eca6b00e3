"""A network looked at in chosen places of a shape, at any rotation of the shape.

A place ``q`` belongs to the shape and turns with it. The law says what stands there after a
rotation: ``Φ(R·x)(R q) = D(R) Φ(x)(q)``. `Probe.read` gives the left side, and how far it is
from the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.data.shapes.rotation import rotate_antialiased
from equivlab.equivariance.error import equivariance_errors
from equivlab.equivariance.finer import without_steps
from equivlab.equivariance.recording import evaluating, find_layer, layer_names, read_layer
from equivlab.fields.irreps import as_irreps, turn_features
from equivlab.fields.space import IrrepPoints
from equivlab.nn.space.neighbors import find_neighbors
from equivlab.nn.space.points import PointConv
from equivlab.so3 import SO3

__all__ = ["Probe", "Reading", "resampling_errors"]

BATCH = 12  # voxel grids in one forward pass, if their features are not too large
MOST_FEATURES = 100_000_000  # numbers, of one pass


@dataclass(frozen=True)
class Reading:
    """What a network gave for one shape at `P` rotations.

    Attributes:
        features: all channels in the places, ``(P, C, N)``.
        errors: ``|Φ(R·x) − D(R)Φ(x)| / |D(R)Φ(x)|`` over all channels and places, ``(P,)``.
        finer: the same of the network without its steps over the voxels; None if not known.
    """

    features: Tensor
    errors: Tensor
    finer: Tensor | None = None


class Probe:
    """Reads a network's features in the places of each shape.

    Args:
        model: takes grids ``(B, C, D, D, D)``, or the positions of one cloud ``(N, 3)``. A
            network of `PointConv`s gets the neighbours within its cutoff, and ones as features.
        shapes: grids ``(1, C, D, D, D)``, or clouds ``(N, 3)``.
        places: of each shape: ``(n, 3)`` in voxels from the middle, or numbers of points ``(n,)``.
        layer: the name of a layer of `model` to look at; its output if None.
        irreps: what the channels are; by default what the layer says of itself, else scalars.

    Raises:
        ValueError: no such layer, features of another shape, or irreps that do not fit.
    """

    def __init__(
        self,
        model: nn.Module,
        shapes: Sequence[Tensor],
        places: Sequence[Tensor],
        layer: str | None = None,
        irreps: Any = None,
    ) -> None:
        if shapes[0].dim() == 2 and isinstance(getattr(model, "in_field", None), IrrepPoints):
            if layer is not None:
                find_layer(model, layer)  # named without what is put round it here
                layer = f"network.{layer}"
            model = _OnPositions(model)
        self.model, self.shapes, self.places, self.layer = model, shapes, places, layer
        self.field: Any = None
        self._batch = 1
        rest = [self._features(n, SO3.identity[None]) for n in range(len(shapes))]
        channels = rest[0].shape[1]
        own = getattr(self.field, "irreps", None)
        self.irreps = as_irreps(irreps or own or f"{channels}x0e", "RotateShape")
        if self.irreps.dim != channels:
            raise ValueError(
                f"RotateShape was told that the features are {self.irreps}, which are "
                f"{self.irreps.dim} channels; the layer gives {channels}."
            )
        self.rest = rest  # (1, C, N) each
        finer = self._without_steps()
        self.finer: Probe | None = self if finer is self.model else None
        if finer is not None and finer is not self.model:
            self.finer = Probe(finer, shapes, places, layer, self.irreps)

    def read(self, n: int, R: Tensor) -> Reading:
        """Shape `n` at the rotations ``(P, 3, 3)``."""
        found = self._features(n, R)
        rest = self.rest[n].expand(len(R), -1, -1)
        wanted = turn_features(self.irreps, R, rest)
        errors = equivariance_errors(found, wanted)
        if self.finer is None or self.finer is self:
            return Reading(found, errors, errors if self.finer else None)
        return Reading(found, errors, self.finer.read(n, R).errors)

    def _without_steps(self) -> nn.Module | None:
        """The network on every voxel; points have no grid."""
        if self.shapes[0].dim() != 5:
            return self.model
        with evaluating(self.model):
            x = self.shapes[0].to(next(self.model.parameters(), self.shapes[0]))
            return without_steps(self.model, x, self.layer)

    def _features(self, n: int, R: Tensor) -> Tensor:
        """The features in the places of shape `n`, ``(P, C, N)`` float64."""
        with evaluating(self.model):
            if self.shapes[n].dim() == 5:
                return torch.cat([self._of_grids(n, some) for some in R.split(self._batch)])
            return torch.stack([self._of_cloud(n, one) for one in R])

    def _of_grids(self, n: int, R: Tensor) -> Tensor:
        x = self.shapes[n].expand(len(R), -1, -1, -1, -1)
        maps = self._run(rotate_antialiased(x, R))
        if maps.dim() != 5 or len(set(maps.shape[2:])) != 1 or len(maps) != len(R):
            raise ValueError(
                f"RotateShape shows features on voxels (B, C, D, D, D); got {tuple(maps.shape)}. "
                "Give layer='...', the name of a layer that gives them: "
                f"{', '.join(self._layers())}"
            )
        self._batch = max(1, min(BATCH, MOST_FEATURES * len(maps) // maps.numel()))
        return _sample(maps, self.places[n] @ R.mT, x.shape[-1])

    def _of_cloud(self, n: int, R: Tensor) -> Tensor:
        features = self._run(self.shapes[n] @ R.mT.to(self.shapes[n]))
        if features.dim() != 2 or len(features) != len(self.shapes[n]):
            raise ValueError(
                f"RotateShape shows features on points (N, C), here ({len(self.shapes[n])}, C); "
                f"got {tuple(features.shape)}. Give layer='...', the name of a layer that gives "
                f"them: {', '.join(self._layers())}"
            )
        return features[self.places[n]].T

    def _run(self, x: Tensor) -> Tensor:
        x = x.to(next(self.model.parameters(), x))
        module, y = read_layer(self.model, self.layer, x)
        if not isinstance(y, Tensor):
            raise ValueError(
                f"RotateShape shows a tensor of features; got {type(y).__name__} from "
                f"{type(module).__name__}. Give layer='...', one of: {', '.join(self._layers())}"
            )
        while isinstance(module, nn.Sequential) and len(module):
            module = module[-1]  # it gives what its last layer gives
        self.field = getattr(module, "out_field", None)
        return y.detach().cpu().double()

    def _layers(self) -> list[str]:
        return [name.removeprefix("network.") for name in layer_names(self.model)]


class _OnPositions(nn.Module):
    """A network of point convolutions as a function of the positions alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        found = [m.cutoff for m in network.modules() if isinstance(m, PointConv)]
        if not found:
            raise ValueError(
                f"RotateShape finds no PointConv in {type(network).__name__}, so no cutoff for "
                "the neighbours. Give a module that takes the positions (N, 3)."
            )
        self.cutoff: float = found[0]
        self.channels: int = network.in_field.channels  # type: ignore[union-attr, assignment]

    @property
    def out_field(self) -> Any:
        return getattr(self.network, "out_field", None)

    def forward(self, positions: Tensor) -> Tensor:
        """What the network gives on points at `positions` ``(N, 3)``."""
        ones = positions.new_ones(len(positions), self.channels)
        features: Tensor = self.network(ones, find_neighbors(positions, self.cutoff))
        return features


def _sample(maps: Tensor, spots: Tensor, side: int) -> Tensor:
    """Trilinear values of ``(P, C, d, d, d)`` at ``(P, N, 3)`` voxels from the middle of the input.

    A smaller grid is taken for every second voxel, every third ..., about the same middle.
    """
    d = maps.shape[-1]
    spacing = max(1, round(side / d))
    grid = spots.to(maps) / spacing * 2 / d  # from −1 to 1 over the whole grid
    values = F.grid_sample(maps, grid[:, None, None], align_corners=False)
    return values[:, :, 0, 0]  # (P, C, N)


def resampling_errors(x: Tensor, places: Tensor, R: Tensor) -> Tensor:
    """What turning a grid ``(1, C, D, D, D)`` costs at its places, without a network, ``(P,)``."""
    own = Probe(nn.Identity(), [x], [places])
    return own.read(0, R).errors
