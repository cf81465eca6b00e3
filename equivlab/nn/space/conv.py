"""Steerable convolution on voxels: an `nn.Conv3d` whose kernel is made from a basis.

The learned numbers weigh the kernels of `equivlab.nn.space.kernel`; their sum is an ordinary
kernel for `torch.nn.functional.conv3d`. A rotation of the cube is a symmetry of the grid, so
the law is exact, to rounding, wherever the last window ends where the padded input ends::

    (D + 2·padding − dilation·(kernel_size − 1) − 1) % stride == 0

and likewise in ``H`` and ``W``: always for stride 1, on odd sizes for stride 2 with the usual
padding of ``kernel_size // 2``. On other sizes use `IrrepDownsample3d`. Any other rotation is
a symmetry only as far as the grid resolves the features.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.fields.irreps import Irreps
from equivlab.fields.space import IrrepMaps
from equivlab.nn.base import FieldModule, check_home, integer
from equivlab.nn.exact_tables import ExactTables
from equivlab.nn.planar.filterbank import Memo
from equivlab.nn.space.expand import KernelExpansion
from equivlab.nn.space.features import features_of
from equivlab.nn.space.jets import jets, monomial_taps
from equivlab.nn.space.kernel import PROFILES, KernelShape, Profile
from equivlab.nn.window import Sides, Window

__all__ = ["SteerableConv3d"]


class SteerableConv3d(Window, ExactTables, FieldModule):
    """Convolve features on voxels with kernels that turn with them.

    ``out(p) = bias + Σ_q K(q − p) f(q)`` with ``K(g·p) = D_out(g) K(p) D_in(g)ᵀ``, which obeys
    ``layer(act(g, f)) == act(g, layer(f))`` (Weiler, Geiger, Welling, Boomsma & Cohen, *3D
    Steerable CNNs*, NeurIPS 2018, equation 7).

    Args:
        irreps_in: what the input channels are, such as ``"1x0e"``.
        irreps_out: what the output channels are, such as ``"8x0e + 4x1o + 2x2e"``.
        kernel_size: side ``k`` of the cube of taps, in voxels.
        stride: step in voxels; `equivlab.nn.space.conv` says when it is exact.
        padding: voxels added on every side, or ``'same'``, ``'valid'``. With an even kernel
            ``'same'`` pads one side more, which no rotation respects: not exact.
        dilation: distance in voxels between the taps; exact with stride 1.
        bias: add a learned number to each true scalar, ``0e``; anything else must not have one.
        padding_mode: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``; all exact.
        device: where the weights live.
        dtype: their type.
        profile: the radial profiles: ``'shells'``, or ``'gaussian'``, which are low-pass and keep
            free rotations much better where ``kernel_size`` is 6 widths or more.
        width: their deviation in voxels; 0.6 for shells and 1 for Gaussians by default.
        lmax: the highest degree of harmonics in the kernels; None for all that fit.

    Shape:
        ``(B, irreps_in.dim, D, H, W)`` to ``(B, irreps_out.dim, D', H', W')``, sizes as in
        `torch.nn.Conv3d`.

    Raises:
        ValueError: irreps, a shape, dtype or device that do not fit; the message says what would.

    >>> layer = SteerableConv3d("1x0e", "8x0e + 4x1o", kernel_size=5, padding="same")
    >>> layer(torch.randn(2, 1, 16, 16, 16)).shape
    torch.Size([2, 20, 16, 16, 16])
    >>> layer
    SteerableConv3d(IrrepMaps('1x0e') -> IrrepMaps('8x0e+4x1o'), kernel_size=5, padding='same')
    >>> sum(p.numel() for p in layer.parameters())  # torch.nn.Conv3d(1, 20, 5): 2520
    40
    """

    in_field: IrrepMaps
    out_field: IrrepMaps
    basis: Tensor
    axes = 3

    def __init__(
        self,
        irreps_in: Irreps | str,
        irreps_out: Irreps | str,
        kernel_size: Sides,
        stride: Sides = 1,
        padding: Sides | Literal["same", "valid"] = 0,
        dilation: Sides = 1,
        *,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        profile: Profile = "shells",
        width: float | None = None,
        lmax: int | None = None,
    ) -> None:
        super().__init__(IrrepMaps(irreps_in), IrrepMaps(irreps_out))
        label = f"SteerableConv3d({self.in_field.irreps} -> {self.out_field.irreps})"
        self.label = label
        self.set_window(kernel_size, stride, padding, dilation, padding_mode)
        if profile not in PROFILES:
            known = ", ".join(map(repr, PROFILES))
            raise ValueError(f"{label}: profile is one of {known}; got {profile!r}.")
        self.profile = profile
        self.width = PROFILES[profile] if width is None else width
        if not self.width > 0:
            raise ValueError(f"{label}: width must be more than 0 voxels; got {width}.")
        lmax = None if lmax is None else integer(lmax, "lmax", label, least=0)
        shape = KernelShape(self.kernel_size, self.width, lmax, profile)
        self.features = features_of(self.out_field.irreps)
        self.expansion = KernelExpansion(features_of(self.in_field.irreps), self.features, shape)
        self._check_paths()

        self.weight = nn.Parameter(torch.empty(self.expansion.count, device=device, dtype=dtype))
        scalars = sum(block.count for block in self.features if block.is_scalar) if bias else 0
        self.bias: nn.Parameter | None = None
        if scalars:
            self.bias = nn.Parameter(torch.empty(scalars, device=device, dtype=dtype))
        self.make_tables(self.weight)
        self._memo: Memo[Tensor] = Memo()
        self.reset_parameters()

    def _check_paths(self) -> None:
        for (_, irrep), fan in zip(self.out_field.irreps, self.expansion.fans(), strict=True):
            if fan == 0:
                raise ValueError(
                    f"{self.label}: no kernel of size {self.kernel_size} leads to {irrep}, so it "
                    f"would stay 0. Use a larger kernel_size or lmax, leave {irrep} out, or "
                    f"give the input a degree nearer to {irrep.l} (mind the parity, e and o)."
                )

    def tables(self) -> dict[str, Tensor]:
        """The basis of the kernels."""
        return {"basis": self.expansion.basis()}

    def reset_parameters(self) -> None:
        """Draw the weights so that white noise of variance 1 gives features of variance 1."""
        with torch.no_grad():
            for row, fan in enumerate(self.expansion.fans()):
                self.weight[self.expansion.weights_of_row(row)].normal_(0, 1 / math.sqrt(fan))
            if self.bias is not None:
                self.bias.zero_()

    def check(self, x: Tensor) -> Tensor:
        """Return `x` if this layer can take it, else raise with the remedy."""
        return self.check_size(super().check(x))

    def kernel(self) -> tuple[Tensor, Tensor | None]:
        """The kernel for `F.conv3d`, ``(C_out, C_in, k, k, k)``, and the bias ``(C_out,)``.

        Expanded anew where a gradient is wanted; else taken from memory while the weights are
        the same, number for number.
        """
        kernel = self._expanded()
        if self.profile == "gaussian":
            products = monomial_taps(self.expansion.shape).to(kernel)
            kernel = torch.einsum("oim,mzyx->oizyx", kernel, products)
        return kernel, self._full_bias()

    def _expanded(self) -> Tensor:
        """The kernel as the expansion gives it: taps, or coefficients of the smooth products."""
        weight = self.weight
        if (torch.is_grad_enabled() and weight.requires_grad) or torch.compiler.is_compiling():
            return self.expansion.expand(weight, self.basis)
        return self._memo.recall(weight, lambda known: self.expansion.expand(known, self.basis))

    def _full_bias(self) -> Tensor | None:
        if self.bias is None:
            return None
        parts, start = [], 0
        for block in self.features:
            if block.is_scalar:
                parts.append(self.bias[start : start + block.count])
                start += block.count
            else:
                parts.append(self.bias.new_zeros(block.channels))
        return torch.cat(parts)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve: ``(B, C_in, D, H, W)`` to ``(B, C_out, D', H', W')``."""
        x = self.check(x)
        check_home(x, self.weight, self.label)
        x, padding = self.pad(x)
        if self.profile == "gaussian":
            return self._by_axes(x, (0, 0) if padding == 0 else self.margins)
        kernel, bias = self.kernel()
        return F.conv3d(x, kernel, bias, self.stride, padding, self.dilation)

    def _by_axes(self, x: Tensor, padding: tuple[int, int]) -> Tensor:
        """The same by smooth products: they act on one axis at a time."""
        found = jets(x, self.expansion.shape, self.stride, padding, self.dilation)
        mix = self._expanded().flatten(1)  # (C_out, C_in·20)
        y: Tensor = mix @ found.flatten(1, 2).flatten(2)  # (B, C_out, D'·H'·W')
        bias = self._full_bias()
        if bias is not None:
            y = y + bias[:, None]
        out: Tensor = y.unflatten(2, found.shape[3:])
        return out

    def extra_repr(self) -> str:
        """The fields and what differs from the defaults, for `print(model)`."""
        parts = [super().extra_repr(), f"kernel_size={self.kernel_size}"]
        parts += self.options_text()
        return ", ".join(
            parts + ([] if self.profile == "shells" else [f"profile={self.profile!r}"])
        )
