"""What all spherical convolutions share: weights at the points of a kernel, and their spectra.

`equivlab.nn.sphere.conv` and `equivlab.nn.sphere.spin` have the layers and say what they compute,
`equivlab.nn.sphere.kernel` says what the kernels are.
"""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from equivlab.fields.sphere import SphericalField
from equivlab.nn.base import FieldModule, check_home, integer
from equivlab.nn.exact_tables import ExactTables
from equivlab.nn.sphere.kernel import check_grid
from equivlab.sphere.s2 import no_autocast
from equivlab.tables import apart

__all__ = ["SphericalConv"]

Seen = TypeVar("Seen")  # the spectrum of the input: one tensor, or a block for each degree
Made = TypeVar("Made")  # that of the output


class SphericalConv(ExactTables, FieldModule, Generic[Seen, Made]):
    """What `S2Conv`, `SO3Conv` and `SpinConv` share: all but their fields and spectra.

    The weight is ``(I, O, P)`` for ``P`` points, drawn from U(−1, 1); the factor that keeps
    the output's size stands beside it, so that Adam sees numbers of order one. Both are those
    of the 2018 code, whose `state_dict` loads as it is. Weights in half precision are computed
    with in float32, and give samples of their own type.
    """

    in_field: SphericalField
    out_field: SphericalField
    basis: Tensor
    angles: ClassVar[int] = 3  # of a point of the kernel
    in_half = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bandwidth_in: int,
        bandwidth_out: int,
        kernel_grid: Tensor | None = None,
        lmax: int | None = None,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        name = type(self).__name__
        self.in_channels = integer(in_channels, "in_channels", name)
        self.out_channels = integer(out_channels, "out_channels", name)
        self.bandwidth_out = integer(bandwidth_out, "bandwidth_out", name)
        super().__init__(*self.fields(integer(bandwidth_in, "bandwidth_in", name)))
        top = self.bandwidth_out - 1
        self.lmax = top if lmax is None else integer(lmax, "lmax", name, least=0)
        if self.lmax > top:
            raise ValueError(
                f"{name}: a grid of bandwidth {top + 1} holds the degrees 0 to {top}; "
                f"got lmax={lmax}. Use bandwidth_out={self.lmax + 1} or more."
            )
        grid = apart(self.usual_grid) if kernel_grid is None else kernel_grid
        self.kernel_grid = apart(check_grid, grid, self.angles, name)
        shape = (self.in_channels, self.out_channels, len(self.kernel_grid))
        self.kernel = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias: nn.Parameter | None = None
        if bias:
            self.bias = nn.Parameter(torch.empty(self.out_channels, device=device, dtype=dtype))
        self.make_tables(self.kernel)
        self.reset_parameters()

    def fields(self, bandwidth_in: int) -> tuple[SphericalField, SphericalField]:
        """What goes in and what comes out."""
        raise NotImplementedError

    def usual_grid(self) -> Tensor:
        """The points of a kernel where none are given."""
        raise NotImplementedError

    def kernel_basis(self) -> Tensor:
        """The spectrum of a unit weight at each point, scaled: float64 ``(P, ...)``."""
        raise NotImplementedError

    def transform(self, x: Tensor) -> Seen:
        """The spectrum of an input, as far as the kernels look at it."""
        raise NotImplementedError

    def correlate(self, spectrum: Seen, /) -> Made:
        """The spectrum of the output from that of the input."""
        raise NotImplementedError

    def samples(self, spectrum: Made, /) -> Tensor:
        """The output from its spectrum."""
        raise NotImplementedError

    def tables(self) -> dict[str, Tensor]:
        """The basis of the kernels."""
        return {"basis": self.kernel_basis()}

    def reset_parameters(self) -> None:
        """Draw the weights from U(−1, 1), the bias 0 (as the 2018 code)."""
        nn.init.uniform_(self.kernel, -1, 1)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def kernel_spectrum(self) -> Tensor:
        """The spectra of all kernels, ``(I·O, ...)``: sums of the rows of `kernel_basis`."""
        return self.kernel.flatten(0, 1).to(self.basis.dtype) @ self.basis

    def check(self, x: Tensor) -> Tensor:
        """Return `x` if this layer can take it, else raise with the remedy."""
        check_home(super().check(x), self.kernel, self.label)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Samples to samples, by the spectrum."""
        return self.from_spectrum(self.transform(self.check(x)))

    def from_spectrum(self, spectrum: Seen) -> Tensor:
        """The output from the spectrum of the input: ``from_spectrum(transform(x)) == layer(x)``.

        Degrees above `lmax` are not looked at.

        Raises:
            ValueError: another shape, number of channels, dtype or device.
        """
        with no_autocast(self.kernel):  # half precision would cost the law four digits
            return self.samples(self.correlate(spectrum))

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *rest: object
    ) -> None:
        # The 2018 code keeps its bias as (1, O, 1, 1, 1).
        bias = state_dict.get(prefix + "bias")
        if bias is not None and bias.dim() == 5:
            state_dict[prefix + "bias"] = bias.flatten()
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def extra_repr(self) -> str:
        """The fields and the points of the kernel, for `print(model)`."""
        parts = [super().extra_repr(), f"points={len(self.kernel_grid)}"]
        if self.lmax != self.bandwidth_out - 1:
            parts.append(f"lmax={self.lmax}")
        return ", ".join(parts + (["bias=False"] if self.bias is None else []))
