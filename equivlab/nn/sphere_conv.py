"""The machine behind the spherical convolutions: weights, kernel spectra, one GEMM per degree.

Read `equivlab.nn.sphere` first: it says what the layers compute. A kernel is a sum of points,
``ψ = Σ_p w_p δ(p)``, at fixed places `kernel_grid` near the identity or around the equator, so
its spectrum is one matrix product of the weights with basis functions at the points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from equivlab.fields.sphere import SphericalField
from equivlab.nn.base import FieldModule
from equivlab.sphere.s2 import no_autocast
from equivlab.sphere.so3_transform import so3_ifft

__all__ = ["SphericalConv"]


class SphericalConv(FieldModule):
    """What `S2Conv`, `SO3Conv` and `SpinConv` share: all but their fields and spectra.

    The weight is ``(I, O, P)`` for ``P`` points, drawn from U(−1, 1); the factor that keeps
    the output's size stands beside it, so that Adam sees numbers of order one. Both are those
    of the 2018 code, whose `state_dict` loads as it is.
    """

    in_field: SphericalField
    out_field: SphericalField
    angles: ClassVar[int] = 3  # of a point of the kernel

    def __init__(
        self,
        in_field: SphericalField,
        out_field: SphericalField,
        kernel_grid: Tensor,
        degrees: int | None,
        bias: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        out_channels, bandwidth_out = out_field.channels, out_field.bandwidth
        sizes = {"in_channels": in_field.channels, "out_channels": out_channels}
        super().__init__(in_field, out_field)
        self.degrees = bandwidth_out if degrees is None else degrees
        sizes |= {"bandwidth_in": in_field.bandwidth, "bandwidth_out": bandwidth_out}
        sizes["degrees"] = self.degrees
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"{type(self).__name__}: {name} must be 1 or more; got {value}.")
        if self.degrees > bandwidth_out:
            raise ValueError(
                f"{type(self).__name__}: bandwidth {bandwidth_out} holds no more degrees; "
                f"got degrees={degrees}. Use bandwidth_out={degrees} or more."
            )
        self.in_channels = in_field.channels
        self.out_channels = out_channels
        self.bandwidth_out = bandwidth_out
        self.kernel_grid = _check_grid(kernel_grid, self.angles, type(self).__name__)
        shape = (self.in_channels, out_channels, len(self.kernel_grid))
        self.kernel = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias: nn.Parameter | None = None
        if bias:
            self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype))
        self.basis: Tensor
        self._make_basis()
        self.reset_parameters()

    def kernel_basis(self) -> Tensor:
        """The spectrum of a unit weight at each point, scaled: float64 ``(P, ...)``."""
        raise NotImplementedError

    def _make_basis(self) -> None:
        basis = self.kernel_basis().to(self.kernel.device, self.kernel.dtype)
        self.register_buffer("basis", basis, persistent=False)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # From float64 again: a cast from float32 would not be as exact as float64 is.
        self._make_basis()
        return self

    def reset_parameters(self) -> None:
        """Draw the weights from U(−1, 1), the bias 0 (as the 2018 code)."""
        nn.init.uniform_(self.kernel, -1, 1)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def kernel_spectrum(self) -> Tensor:
        """The spectra of all kernels, ``(I·O, ...)``: sums of the rows of `kernel_basis`."""
        return self.kernel.flatten(0, 1) @ self.basis

    def transform(self, x: Tensor) -> Any:
        """The spectrum of an input, as far as the kernels look at it."""
        raise NotImplementedError

    def correlate(self, spectrum: Any, /) -> Any:
        """The spectrum of the output from that of the input."""
        raise NotImplementedError

    def samples(self, spectrum: Any, /) -> Tensor:
        """The output from its spectrum: blocks ``(B, O, 2l+1, 2l+1)`` on SO(3)."""
        return so3_ifft(spectrum, self.bandwidth_out)

    def forward(self, x: Tensor) -> Tensor:
        """Samples to samples, by the spectrum."""
        return self.from_spectrum(self.transform(self.check(x)))

    def from_spectrum(self, spectrum: Any) -> Tensor:
        """The output from the spectrum of the input: ``from_spectrum(transform(x)) == layer(x)``.

        Degrees from `degrees` on are not looked at.

        Raises:
            ValueError: another shape, number of channels, dtype or device.
        """
        with no_autocast(self.kernel):  # half precision would cost the law four digits
            return self.samples(self.correlate(spectrum))

    def products(self, rows: Sequence[Tensor], kernels: Sequence[Tensor]) -> list[Tensor]:
        """One matrix product for each degree, and the bias.

        Args:
            rows: input ``(B, m, I·k)``; ``k`` is 1 on the sphere, the order on SO(3).
            kernels: ``(I·k, O·n)``.

        Returns:
            Blocks ``(B, O, m, n)``, in memory ``B m O n``.
        """
        blocks: list[Tensor] = []
        for row, kernel in zip(rows, kernels, strict=True):
            product = row.flatten(0, 1) @ kernel  # (B·m, O·n)
            block = product.view(*row.shape[:2], self.out_channels, -1)
            if not blocks and self.bias is not None:  # a constant is all degree 0
                block = block + self.bias[:, None]
            blocks.append(block.transpose(1, 2))
        return blocks

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        # The 2018 code keeps its bias as (1, O, 1, 1, 1).
        bias = state_dict.get(prefix + "bias")
        if bias is not None and bias.dim() == 5:
            state_dict[prefix + "bias"] = bias.flatten()
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def extra_repr(self) -> str:
        """The fields and the points of the kernel, for `print(model)`."""
        parts = [super().extra_repr(), f"points={len(self.kernel_grid)}"]
        if self.degrees != self.bandwidth_out:
            parts.append(f"degrees={self.degrees}")
        return ", ".join(parts + (["bias=False"] if self.bias is None else []))


def _check_grid(grid: Tensor, angles: int, layer: str) -> Tensor:
    names = "β, α" if angles == 2 else "β, α, γ"
    maker = "s2_near_identity_grid()" if angles == 2 else "so3_near_identity_grid()"
    grid = torch.as_tensor(grid, dtype=torch.float64, device="cpu")
    if grid.dim() != 2 or grid.shape[1] != angles or not len(grid):
        raise ValueError(
            f"{layer}: kernel_grid is (P, {angles}), the angles {names} of each point in radians; "
            f"got {tuple(grid.shape)}. Make one: equivlab.sphere.{maker}"
        )
    if not bool(torch.isfinite(grid).all()) or not bool(
        ((grid[:, 0] >= 0) & (grid[:, 0] <= math.pi)).all()
    ):
        raise ValueError(f"{layer}: kernel_grid has a β outside 0…π, or no number.")
    return grid
