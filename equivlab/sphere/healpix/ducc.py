"""The ring transform on a CPU, by ducc0 (Reinecke 2020), the library behind healpy's own.

ducc0 speaks complex coefficients ``a_lm``, ``m ≥ 0``; this package real ones. Both are the same
numbers in other units: ``c_l,±m = ±√2 (−1)^m Re, Im a_lm``, an orthogonal change of basis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equivlab.sphere.healpix.rings import Floats, rings
from equivlab.sphere.healpix.rule import Rule
from equivlab.tables import remembered

__all__ = ["DuccTransform", "ducc_available", "ducc_transform"]

Array = NDArray[Any]


@remembered(maxsize=1)
def ducc_available() -> bool:
    """Whether ducc0 is installed."""
    try:
        import ducc0  # noqa: F401
    except ImportError:
        return False
    return True


class DuccTransform:
    """Synthesis and its adjoint between ``(N, L²)`` and ``(N, 12·nside²)`` on the CPU.

    Args:
        nside: resolution of the maps.
        lmax: highest degree, ``L − 1``.
    """

    def __init__(self, nside: int, lmax: int) -> None:
        of = rings(nside)
        self.pixels, self.lmax = of.pixels, lmax
        self.geometry: dict[str, Any] = {
            "theta": of.theta,
            "phi0": of.phi0,
            "nphi": of.count.astype(np.uint64),
            "ringstart": of.first.astype(np.uint64),
            "lmax": lmax,
            "spin": 0,
        }
        m = np.concatenate([np.full(lmax + 1 - m, m) for m in range(lmax + 1)])
        ell = np.concatenate([np.arange(m, lmax + 1) for m in range(lmax + 1)])
        # The real and imaginary parts, in turn, of ducc0's numbers: c_l,m and c_l,−m ...
        self.to_parts = np.stack([ell * ell + ell + m, ell * ell + ell - m], 1).ravel()
        root = np.where(m > 0, (1 - 2 * (m % 2)) / np.sqrt(2), 1.0)
        scale = np.stack([root, np.where(m > 0, -root, 0.0)], 1).ravel()
        # ... and back: the other way round, and m = 0 has no imaginary part to read.
        used = np.flatnonzero(scale)
        self.to_real = np.empty((lmax + 1) ** 2, np.int64)
        self.to_real[self.to_parts[used]] = used
        back = 1 / scale[self.to_real]  # ±√2, or 1
        kinds = (np.float32, np.float64)
        self.prepared: dict[tuple[Rule, np.dtype[Any]], Array] = {}
        self.scales = {np.dtype(t): (scale.astype(t), back.astype(t)) for t in kinds}

    def synthesis(self, coefficients: Tensor) -> Tensor:
        """The maps of these harmonics."""
        return torch.from_numpy(self._maps(self._complex(coefficients), None)[:, 0])

    def adjoint(self, maps: Tensor) -> Tensor:
        """The transpose of `synthesis`: sums of the pixels times each harmonic."""
        return self._real(self._sums(maps.detach().contiguous().numpy()[:, None], None))

    def analysis(self, maps: Tensor, rule: Rule) -> Tensor:
        """`adjoint` of the weighted maps, corrected by the `rule`."""
        first = self._sums(maps.detach().contiguous().numpy()[:, None], rule.areas)
        return self._real(self._corrected(first, rule))

    def analysis_transpose(self, coefficients: Tensor, rule: Rule) -> Tensor:
        """The transpose of `analysis`."""
        a = self._corrected(self._complex(coefficients), rule)
        return torch.from_numpy(self._maps(a, rule.areas)[:, 0])

    def _corrected(self, first: Array, rule: Rule) -> Array:
        """``a ← a + ω D⁻¹ (first − Sᵀ W S a)`` from 0 on: a symmetric map of `first`."""
        a: Array = first
        if rule.steps is None:
            for _ in range(rule.iterations):
                excess = self._sums(self._maps(a, rule.areas), None)
                excess -= first
                a = a - excess
            return a
        steps = self._steps(rule, first.real.dtype)  # real numbers, two for each complex one
        a = (first.view(steps.dtype) * steps[0]).view(first.dtype)
        for step in steps[1:]:
            excess = self._sums(self._maps(a, rule.areas), None)
            excess -= first
            parts = excess.view(steps.dtype)
            parts *= step
            a -= excess
        return a

    def _steps(self, rule: Rule, dtype: np.dtype[Any]) -> Array:
        """The steps for each real and imaginary part, ``(iterations + 1, L(L+1))``, kept."""
        key = rule, dtype
        if key not in self.prepared:
            assert rule.steps is not None  # noqa: S101
            self.prepared[key] = rule.steps[:, self.to_parts].astype(dtype)
        return self.prepared[key]

    def _maps(self, a: Array, weights: Floats | None) -> Array:
        import ducc0

        threads = torch.get_num_threads()
        out: Array = ducc0.sht.synthesis(
            alm=a, ringfactor=weights, nthreads=threads, **self.geometry
        )
        return out  # (N, 1, P)

    def _sums(self, maps: Array, weights: Floats | None) -> Array:
        import ducc0

        threads = torch.get_num_threads()
        out: Array = ducc0.sht.adjoint_synthesis(
            map=maps, ringfactor=weights, nthreads=threads, **self.geometry
        )
        return out  # (N, 1, L(L+1)/2)

    def _complex(self, coefficients: Tensor) -> Array:
        """Real coefficients ``(N, L²)`` as ducc0 takes them."""
        c = coefficients.detach().numpy()
        parts: Array = c.take(self.to_parts, 1) * self.scales[c.dtype][0]
        return parts.view(np.result_type(c.dtype, np.complex64))[:, None]

    def _real(self, a: Array) -> Tensor:
        """ducc0's coefficients as real ones, ``(N, L²)``."""
        parts = a[:, 0].view(a.real.dtype)
        return torch.from_numpy(parts.take(self.to_real, 1) * self.scales[parts.dtype][1])


@remembered(maxsize=16)
def ducc_transform(nside: int, lmax: int) -> DuccTransform:
    """The transform of this size, kept."""
    return DuccTransform(nside, lmax)
