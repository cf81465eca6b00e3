"""Batch normalisation of signals on SO(3), with the statistics of the group, not of the grid.

Mean and variance of a band-limited signal stand in its spectrum (Parseval), and an affine map
of the values is one of the spectrum: so behind a convolution, `NormedConv` normalises before
the signal is sampled, which costs next to nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields.sphere import RotationMaps, SphericalField
from equivlab.nn.base import FieldModule, check_home, integer
from equivlab.nn.running import Moments, RunningNorm
from equivlab.nn.sphere.base import SphericalConv
from equivlab.nn.sphere.spin import SpinConv, spin_field
from equivlab.sphere.grid import sample_weights
from equivlab.sphere.s2 import no_autocast
from equivlab.sphere.spin import constant_term, expand, project

__all__ = ["NormedConv", "SO3BatchNorm", "SpinBatchNorm"]


class SO3BatchNorm(RunningNorm, nn.BatchNorm3d):
    """Batch normalisation whose mean and variance are integrals over SO(3).

    ``out = weight[c] · (f − mean[c]) / sqrt(var[c] + eps) + bias[c]`` with
    ``mean = ∫ f(R) dR`` averaged over the batch, and ``var`` likewise, by the quadrature of the
    grid. Both are invariant, so ``layer(act(R, f)) == act(R, layer(f))`` to rounding; the plain
    `torch.nn.BatchNorm3d` weighs the many samples near the poles as much as the equator, and
    its statistics change when the signal turns. That layer's arguments and `state_dict`.

    Args:
        channels: signals ``C``.
        bandwidth: ``b`` of their grid.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics; None averages all batches.
        affine: learn ``weight`` and ``bias``.
        track_running_stats: keep running statistics and use them in `eval()`.
        device: where they live.
        dtype: their type.

    Shape:
        ``(B, C, 2b, 2b, 2b)`` to the same.

    Raises:
        ValueError: a tensor of another kind.

    >>> SO3BatchNorm(20, 10)
    SO3BatchNorm(RotationMaps(20, bandwidth=10), eps=1e-05, momentum=0.1)
    """

    in_field: SphericalField
    out_field: SphericalField

    def __init__(
        self,
        channels: int,
        bandwidth: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        channels = integer(channels, "channels", type(self).__name__)
        bandwidth = integer(bandwidth, "bandwidth", type(self).__name__)
        super().__init__(channels, eps, momentum, affine, track_running_stats, device, dtype)
        self.in_field = self.out_field = RotationMaps(channels, bandwidth)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(B, C, 2b, 2b, 2b)``."""
        self._check(x)
        return self.normalise(x)

    def on_spectrum(self, spectrum: Any) -> Any:
        """The same of a spectrum: ``so3_ifft(norm.on_spectrum(so3_fft(x))) == norm(x)``.

        Args:
            spectrum: blocks ``(B, C, 2l+1, 2l+1)`` of band-limited signals.

        Returns:
            Blocks of the same shapes.
        """
        found = self.scale_and_shift(lambda: self.spectral_moments(spectrum))
        scale, shift = (value.view(-1, 1, 1) for value in found)
        scaled = [F * scale for F in spectrum]
        return [scaled[0] + shift, *scaled[1:]]

    def _check(self, x: Tensor) -> None:
        self.in_field.validate(x, type(self).__name__)
        if self.weight is not None:
            check_home(x, self.weight, type(self).__name__)

    def kept_variance(self, var: Tensor, count: float) -> Tensor:
        """As measured: an integral over the group has no bias to correct."""
        return var

    def spectral_moments(self, blocks: Any) -> Moments:
        """Mean and variance of each channel ``(C,)`` (Parseval), and the number of signals."""
        mean = blocks[0].mean((0, 2, 3))
        power = [F.shape[-1] * F.square().sum((0, 2, 3)) for F in blocks[1:]]  # (C,) each
        fluctuation = (blocks[0] - mean.view(-1, 1, 1)).square().sum((0, 2, 3))
        count = len(blocks[0])
        return mean, torch.stack([fluctuation, *power]).sum(0) / count, count

    def moments(self, x: Tensor) -> Moments:
        """The same of samples, by the quadrature of their grid."""
        b = self.in_field.bandwidth
        weights = sample_weights(b, 4 * b * b, x.dtype, x.device) / len(x)
        mean = (x.sum((-2, -1)) * weights).sum((0, 2))
        centred = x - mean.detach().view(-1, 1, 1, 1)  # the mean of squares alone would cancel
        square = (centred.square().sum((-2, -1)) * weights).sum((0, 2))
        return mean, square - (mean - mean.detach()) ** 2, len(x)

    def extra_repr(self) -> str:
        """The field and the settings, for `print(model)`."""
        parts = [repr(self.in_field), f"eps={self.eps}", f"momentum={self.momentum}"]
        parts += [] if self.affine else ["affine=False"]
        return ", ".join(parts + (["synced=True"] if self.synced else []))


class SpinBatchNorm(SO3BatchNorm):
    """`SO3BatchNorm` of signals of few orders in γ: a mean of order 0, a variance of all orders.

    Computed in the spectrum, as far as the grid's bandwidth goes; samples beyond it are lost.

    Args:
        channels: signals ``C``.
        bandwidth: ``b`` of their grid.
        orders: highest order ``N``.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics; None averages all batches.
        affine: learn ``weight`` and ``bias``.
        track_running_stats: keep running statistics and use them in `eval()`.
        device: where they live.
        dtype: their type.

    Shape:
        ``(B, C, 2N+1, 2b, 2b)`` to the same; ``(B, C, 2b, 2b)`` where ``N`` is 0.

    Raises:
        ValueError: a tensor of another kind.

    >>> SpinBatchNorm(10, 18, 2)
    SpinBatchNorm(SpinMaps(10, bandwidth=18, orders=2), eps=1e-05, momentum=0.1)
    """

    def __init__(
        self,
        channels: int,
        bandwidth: int,
        orders: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        *,
        affine: bool = True,
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            channels, bandwidth, eps, momentum, affine, track_running_stats, device, dtype
        )
        self.in_field = self.out_field = spin_field(channels, bandwidth, orders)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(B, C, 2N+1, 2b, 2b)``."""
        self._check(x)
        bandwidth = self.in_field.bandwidth
        return expand(self.on_spectrum(project(x, bandwidth)), bandwidth)

    def on_spectrum(self, spectrum: Tensor) -> Tensor:
        """The same of a spectrum ``(m, n, B, C, l)``, as `SpinConv.correlate` gives it."""
        scale, shift = self.scale_and_shift(lambda: self.spectral_moments(spectrum))
        out = spectrum * scale[:, None]
        constant_term(out).add_(shift)
        return out

    def spectral_moments(self, spectrum: Tensor) -> Moments:
        """Mean and variance of each channel ``(C,)``, and the number of signals."""
        constant = constant_term(spectrum)  # (B, C)
        mean = constant.mean(0)
        degree = torch.arange(1, spectrum.shape[-1], device=spectrum.device)
        sides = (2 * degree + 1).to(spectrum.dtype)
        power = (spectrum[..., 1:].square().sum((0, 1, 2)) * sides).sum(-1) / len(constant)
        return mean, power + (constant - mean).square().mean(0), len(constant)


class NormedConv(FieldModule):
    """A spherical convolution and its batch norm, computed together in the spectrum.

    Equal to ``nn.Sequential(conv, SO3BatchNorm(...))`` to rounding, and obeys the same law; the
    normalisation touches the blocks, of which there are far fewer than samples.

    Args:
        conv: an `S2Conv`, `SO3Conv` (with an `SO3BatchNorm`) or `SpinConv` (`SpinBatchNorm`).
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.

    Shape:
        As `conv`.

    >>> from equivlab.nn import S2Conv
    >>> NormedConv(S2Conv(1, 20, 30, 10)).out_field
    RotationMaps(20, bandwidth=10)
    """

    def __init__(
        self, conv: SphericalConv[Any, Any], eps: float = 1e-5, momentum: float = 0.1
    ) -> None:
        super().__init__(conv.in_field, conv.out_field)
        self.conv = conv
        like: dict[str, Any] = {"device": conv.kernel.device, "dtype": conv.kernel.dtype}
        channels, bandwidth = conv.out_channels, conv.bandwidth_out
        self.norm: SO3BatchNorm
        if isinstance(conv, SpinConv):
            self.norm = SpinBatchNorm(channels, bandwidth, conv.orders_out, eps, momentum, **like)
        else:
            self.norm = SO3BatchNorm(channels, bandwidth, eps, momentum, **like)

    def forward(self, x: Tensor) -> Tensor:
        """``self.norm(self.conv(x))``."""
        return self.from_spectrum(self.conv.transform(self.conv.check(x)))

    def from_spectrum(self, spectrum: Tensor | list[Tensor]) -> Tensor:
        """The same from the spectrum of the input; see `S2Conv.from_spectrum`."""
        with no_autocast(self.conv.kernel):
            return self.conv.samples(self.norm.on_spectrum(self.conv.correlate(spectrum)))
