"""What the kernel does for `RotateSphere`: turn a signal exactly, run the network, turn back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.equivariance.budget import EXACT, ErrorBudget, error_budget
from equivlab.equivariance.error import equivariance_error
from equivlab.equivariance.finer import oversampled
from equivlab.equivariance.recording import evaluating, read_layer, record
from equivlab.fields import HealpixMaps, RotationMaps, SphereMaps, SpinMaps
from equivlab.so3 import SO3
from equivlab.sphere import (
    healpix_isht,
    healpix_sht,
    s2_fft,
    s2_ifft,
    seen,
    so3_fft,
    so3_ifft,
    spin_fft,
    spin_ifft,
)
from equivlab.sphere.healpix.rings import nside_of_pixels
from equivlab.sphere.quick_turn import QuickTurn
from equivlab.sphere.spin import gamma_waves
from equivlab.widgets.globe.signals import as_grid

__all__ = ["Answer", "SphereEngine"]


Shown = SphereMaps | RotationMaps | SpinMaps | HealpixMaps
LARGEST = 1e6  # an error that a page can read: JSON has no infinity
AT_ONCE = 16  # channels whose pictures are made together
COARSE = 10  # signals on SO(3) up to this bandwidth are shown on a grid twice as fine


@dataclass(frozen=True)
class Answer:
    """The features of one turned signal.

    Attributes:
        levels: ``(2, C, Γ, rows, columns)`` uint8: as they come out, and turned back; of the
            channels that were asked for.
        error: ``|R⁻¹Φ(R·f) − Φ(f)| / |Φ(f)|``, over all channels.
    """

    levels: Tensor
    error: float


class SphereEngine:
    """A network and a few signals that can be turned by any rotation.

    Args:
        model: takes signals on the sphere, gives signals on the sphere or on SO(3), or has a
            layer that does.
        signals: ``(N, C, 2b, 2b)`` or ``(N, C, P)``.
        channels: of the features, which to show.
        layer: whose output to show; by default the last that gives spherical signals.

    Raises:
        ValueError: no such layer or channel, no spherical output, signals that do not fit.
    """

    def __init__(
        self, model: nn.Module, signals: Tensor, channels: list[int], layer: str | None
    ) -> None:
        self.model, self.channels = model, channels
        self._finer_at_rest: dict[int, Tensor] = {}
        healpix = signals.dim() == 3
        nside = nside_of_pixels(signals.shape[-1]) if healpix else 0
        self.in_field = _in_field(model) or (
            HealpixMaps(signals.shape[1], nside)
            if healpix
            else SphereMaps(signals.shape[1], signals.shape[-1] // 2)
        )
        degrees = _degrees(self.in_field)
        known = torch.where(seen(signals), signals, 0).double()
        if healpix:
            self.spectra = healpix_sht(known, min(degrees - 1, 2 * nside))
        else:
            self.spectra = s2_fft(known, lmax=min(degrees, signals.shape[-1] // 2) - 1)
        self.quick_turn = QuickTurn(math.isqrt(self.spectra.shape[-1]))
        with evaluating(model):
            first = self._input(0, SO3.identity)
            self.layer, self.out_field = _find_layer(model, first, layer)
            self.finer = oversampled(model, first, self.layer)
        width = self.out_field.channels
        wrong = [c for c in channels if not 0 <= c < width]
        if wrong or not channels:
            raise ValueError(f"The layer has channels 0 to {width - 1}; got {channels}.")
        at_rest = [self._features(n, SO3.identity) for n in range(len(signals))]
        # What a rotation can act on: the part below the bandwidth of the grid.
        coarse = isinstance(self.out_field, RotationMaps) and self.out_field.bandwidth <= COARSE
        self.zoom = 2 if coarse else 1
        self.quick_back = QuickTurn(_degrees(self.out_field))
        self.at_rest = [self._turned_back(y, SO3.identity) for y in at_rest]
        #: γ steps, rows and columns of the features' pictures.
        self.texture_shape = tuple(self._shown(at_rest[0], channels[:1]).shape[1:])
        largest = [
            torch.cat(
                [
                    self._shown(y, channels[start : start + AT_ONCE]).flatten(1).abs().amax(1)
                    for start in range(0, len(channels), AT_ONCE)
                ]
            )
            for y in at_rest
        ]
        self.limits = torch.stack(largest).clamp_min(1e-12)  # (N, C): a signal keeps its colours

    @property
    def resolution(self) -> str:
        """In words, of the features."""
        if isinstance(self.out_field, HealpixMaps):
            return f"nside {self.out_field.nside}"
        return f"bandwidth {self.out_field.bandwidth}"

    def turn(self, signal: int, rotation: Tensor, places: Sequence[int] | None = None) -> Answer:
        """The features of ``rotation·signal``, as they come out and turned back.

        Args:
            signal: its number.
            rotation: ``(3, 3)``.
            places: which of `channels`, by their places there; all by default.
        """
        some = list(range(len(self.channels))) if places is None else list(places)
        y = self._features(signal, rotation)
        back = self._turned_back(y, rotation)
        rest = self.at_rest[signal]
        error = min(equivariance_error(back, rest), LARGEST)
        return Answer(torch.stack([self._levels(one, signal, some) for one in (y, back)]), error)

    def error(self, signal: int, rotation: Tensor) -> float:
        """The relative error alone."""
        back = self._turned_back(self._features(signal, rotation), rotation)
        return min(equivariance_error(back, self.at_rest[signal]), LARGEST)

    def budget(self, signal: int, rotation: Tensor, error: float) -> ErrorBudget:
        """What the error of a pose consists of; the network runs once more, on a finer grid."""
        finer = None if self.finer is None else self._finer_error(signal, rotation, error)
        known = (None if one is None else torch.tensor(one, dtype=torch.float64) for one in
                 (error, self._resampling(signal, rotation), finer))  # fmt: skip
        return error_budget(*known)  # type: ignore[arg-type]

    @property
    def finer_is_free(self) -> bool:
        """Whether `budget` knows all without another pass or transform."""
        alone = self.finer is None or self.finer is self.model
        return alone and not isinstance(self.in_field, HealpixMaps)

    def _finer_error(self, signal: int, rotation: Tensor, error: float) -> float:
        if self.finer is None or self.finer is self.model or error < EXACT:
            return error
        if signal not in self._finer_at_rest:
            rest = self._features(signal, SO3.identity, self.finer)
            self._finer_at_rest[signal] = self._turned_back(rest, SO3.identity)
        back = self._turned_back(self._features(signal, rotation, self.finer), rotation)
        return min(equivariance_error(back, self._finer_at_rest[signal]), LARGEST)

    def _resampling(self, signal: int, rotation: Tensor) -> float:
        """What turning the signal costs alone: nothing through its spectrum, but for HEALPix."""
        if not isinstance(self.in_field, HealpixMaps):
            return 0.0
        c = self.spectra[signal : signal + 1]
        there = healpix_isht(self.quick_turn(c, rotation), self.in_field.nside)
        again = healpix_sht(there, math.isqrt(c.shape[-1]) - 1)
        return equivariance_error(self.quick_turn(again, SO3.inverse(rotation)), c)

    def _input(self, signal: int, rotation: Tensor) -> Tensor:
        c = self.quick_turn(self.spectra[signal : signal + 1], rotation)
        if isinstance(self.in_field, HealpixMaps):
            x = healpix_isht(c, self.in_field.nside)
        else:
            x = s2_ifft(c, self.in_field.bandwidth)
        return x.to(next(self.model.parameters(), torch.zeros(())))

    def _features(self, signal: int, rotation: Tensor, other: nn.Module | None = None) -> Tensor:
        model = self.model if other is None else other
        with evaluating(model):
            x = self._input(signal, rotation)
            y = read_layer(model, self.layer, x)[1]
        if not isinstance(y, Tensor):
            raise TypeError(f"{self.layer} gives {type(y).__name__}, no tensor to look at.")
        return y.detach().cpu()

    def _turned_back(self, y: Tensor, rotation: Tensor) -> Tensor:
        """``out_field.act(R⁻¹, y)``, with the matrices that are kept."""
        field, inverse = self.out_field, SO3.inverse(rotation)
        if isinstance(field, RotationMaps):
            return so3_ifft(self.quick_back.blocks(so3_fft(y), inverse), field.bandwidth)
        if isinstance(field, SphereMaps):
            return s2_ifft(self.quick_back(s2_fft(y), inverse), field.bandwidth)
        if isinstance(field, SpinMaps):
            return spin_ifft(self.quick_back(spin_fft(y), inverse), field.bandwidth)
        return healpix_isht(self.quick_back(healpix_sht(y, field.lmax), inverse), field.nside)

    def _levels(self, y: Tensor, signal: int, places: list[int]) -> Tensor:
        """``(C, Γ, rows, columns)`` uint8: 127 is zero, the limit is 127 from it."""
        shown = self._shown(y, [self.channels[place] for place in places])
        limits = self.limits[signal, places].to(shown)
        scaled = 127 + 127 * shown / limits[:, None, None, None]
        return scaled.round().clamp(0, 254).to(torch.uint8)

    def _shown(self, y: Tensor, channels: list[int]) -> Tensor:
        """Some channels as pictures, ``(C, Γ, rows, columns)``."""
        shown = y[0, channels]
        if isinstance(self.out_field, HealpixMaps):
            return as_grid(shown, 2 * self.out_field.nside)[:, None]
        if isinstance(self.out_field, SpinMaps):
            top = self.out_field.orders
            waves = gamma_waves(top, 4 * top).to(shown)  # four angles to the shortest wave
            return torch.einsum("cnba,ng->cgba", shown, waves)
        if isinstance(self.out_field, RotationMaps):
            if self.zoom > 1:  # the same function, by its spectrum; the γ stay
                fine = so3_ifft(so3_fft(shown), self.zoom * self.out_field.bandwidth)
                shown = fine[..., :: self.zoom]
            return shown.movedim(-1, 1)  # (C, γ, β, α)
        return shown[:, None]


def _in_field(model: nn.Module) -> SphereMaps | HealpixMaps | None:
    for module in model.modules():
        field = getattr(module, "in_field", None)
        if isinstance(field, SphereMaps | HealpixMaps):
            return field
        if field is not None:
            break
    return None


def _degrees(field: Shown) -> int:
    return (field.lmax or 0) + 1 if isinstance(field, HealpixMaps) else field.bandwidth


def _find_layer(model: nn.Module, x: Tensor, layer: str | None) -> tuple[str, Shown]:
    """The name of the layer to look at, and the field of its output."""
    calls = record(model, x)
    found = {c.name: _out_field(c.module, c.output) for c in calls}
    if layer is None:
        spherical = [name for name, field in found.items() if field is not None]
        if not spherical:
            raise ValueError(
                "RotateSphere shows signals on the sphere or on SO(3); no layer of this model "
                f"gives any. Its layers: {', '.join(found)}."
            )
        layer = spherical[-1]
    if layer not in found:
        raise ValueError(f"The model has no layer {layer!r}. It has: {', '.join(found)}.")
    field = found[layer]
    if field is None:
        raise ValueError(f"Layer {layer!r} gives no signal on the sphere or on SO(3).")
    return layer, field


def _out_field(module: nn.Module, y: Any) -> Shown | None:
    """What a layer's output is: what the layer says, else what its shape can only be."""
    field: object = getattr(module, "out_field", None)
    if isinstance(field, Shown):
        return field
    if not isinstance(y, Tensor) or y.dim() < 3 or y.shape[-1] < 2:
        return None
    C, side = y.shape[1], y.shape[-1]
    if y.dim() in (4, 5) and set(y.shape[2:]) == {side} and side % 2 == 0:
        return (SphereMaps if y.dim() == 4 else RotationMaps)(C, side // 2)
    if y.dim() == 3 and side % 12 == 0 and _is_power_of_two_squared(side // 12):
        return HealpixMaps(C, nside_of_pixels(side))
    return None


def _is_power_of_two_squared(n: int) -> bool:
    return n > 0 and n & (n - 1) == 0 and (n.bit_length() - 1) % 2 == 0
