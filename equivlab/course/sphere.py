"""Checks for the exercises of the notebook on the sphere; see `equivlab.course`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equivlab.course.verdict import Verdict, run_attempt
from equivlab.nn import S2Conv
from equivlab.so3 import SO3
from equivlab.sphere import dh_angles, rotate_coefficients, s2_fft, so3_ifft

__all__ = ["check_group_mean", "check_mean", "check_outer", "check_polar_turn"]


def check_mean(attempt: Callable[[Tensor, Tensor], Any]) -> Verdict:
    """The mean over the sphere of samples in β and α: ``attempt(samples, beta)``.

    Args:
        attempt: takes samples ``(2b, 2b)`` and the colatitudes of the rows ``(2b,)``, both
            float64; should give a number, right to a thousandth.
    """
    beta, _ = dh_angles(64)
    height = beta.cos()[:, None].expand(-1, 128)
    tests = ((torch.ones_like(height), 1.0), (height**2, 1 / 3), (height**4, 1 / 5))
    for samples, wanted in tests:
        try:
            found = float(attempt(samples, beta))
        except (TypeError, ValueError, RuntimeError) as error:
            return Verdict(False, f"It stops with {type(error).__name__}: {error}")
        if abs(found - wanted) < 1e-3:
            continue
        if abs(found - float(samples.mean())) < 1e-6:
            said = "every row counts the same, but the rows near the poles are short circles."
        else:
            said = f"{found:.3f}, where {wanted:.3f} is right. Divide by the sum of the weights?"
        names = ("1", "cos²β", "cos⁴β")
        name = names[[w for _, w in tests].index(wanted)]
        return Verdict(False, f"The mean of {name} over the sphere comes out wrong: {said}")
    return Verdict(True, "A row counts as much as its circle is long: sin β.")


def check_polar_turn(attempt: Callable[[Tensor, int, float], Any]) -> Verdict:
    """A turn about the pole in the spectrum: ``attempt(pair, m, angle)``.

    Args:
        attempt: takes the two coefficients of ``cos mα`` and ``sin mα``, ``(2,)`` float64, the
            order ``m > 0`` and an angle in radians; should give the two of the turned signal.
    """
    pair = torch.tensor([0.8, -0.5], dtype=torch.float64)
    for m, angle in ((1, 0.4), (3, -1.1)):
        wanted = _turned(pair, m, angle)
        try:
            returned = attempt(pair.clone(), m, angle)
            if returned is None:
                return Verdict(False, "Nothing comes back yet. End the function with return.")
            found = torch.as_tensor(returned, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            return Verdict(False, f"It stops with {type(error).__name__}: {error}")
        if found.shape == wanted.shape and torch.allclose(found, wanted, atol=1e-9):
            continue
        if found.shape != wanted.shape:
            said = f"It gives {tuple(found.shape)}; two numbers are wanted, cos before sin."
        elif torch.allclose(found, _turned(pair, m, -angle), atol=1e-9):
            said = "It turns the other way: f(α − angle) is the signal turned by angle."
        elif m > 1:
            said = "Right for m = 1 and not for m = 3: the wave cos mα turns by m times the angle."
        else:
            said = "Expand cos m(α − angle) and sin m(α − angle)."
        return Verdict(False, said)
    return Verdict(True, "The two waves of an order turn like a hand on a dial, m times as fast.")


def check_outer(attempt: Callable[[Tensor, Tensor], Any]) -> Verdict:
    """The convolution on the sphere in the spectrum, one degree: ``attempt(f, psi)``.

    Args:
        attempt: takes the coefficients of signals ``(B, I, 2l+1)`` and of kernels
            ``(I, O, 2l+1)``; should give ``(B, O, 2l+1, 2l+1)``, ``Σ_I f_m ψ_n``. What it gives
            for all degrees is compared with `S2Conv`.
    """
    generator = torch.Generator().manual_seed(0)
    f = torch.randn(2, 3, 5, generator=generator, dtype=torch.float64)
    psi = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    each = f[:, :, None, :, None] * psi[None, :, :, None, :]  # (B, I, O, m, n)
    wanted = each.sum(1)
    found, trouble = run_attempt(attempt, (f.clone(), psi.clone()))
    if trouble:
        return Verdict(False, trouble)
    if not isinstance(found, Tensor):
        return Verdict(False, f"It should give a tensor; this is {type(found).__name__}.")
    if found.shape == each.shape:
        return Verdict(False, "The input channels are still there: sum over them.")
    if found.shape != wanted.shape:
        return Verdict(
            False,
            f"Degree 2: the block should be (B, O, 5, 5), here {tuple(wanted.shape)}; this has "
            f"{tuple(found.shape)}.",
        )
    if torch.allclose(found, wanted.mT):
        said = "Rows and columns are exchanged: m, of the signal, comes before n, of the kernel."
    elif torch.allclose(found, each.mean(1)):
        said = "The input channels are averaged, but the integral sums them."
    elif not torch.allclose(found, wanted):
        said = "The shape is right, the numbers are not: multiply f_m by ψ_n and sum over I."
    else:
        return _same_as_s2conv(attempt)
    return Verdict(False, said)


def _same_as_s2conv(attempt: Callable[[Tensor, Tensor], Any]) -> Verdict:
    """All degrees of a layer by the attempt."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        layer = S2Conv(1, 4, bandwidth_in=8, bandwidth_out=4)
        x = torch.randn(1, 1, 16, 16)
        f, psi = s2_fft(x, lmax=3), layer.kernel_spectrum().view(1, 4, 16)
        degrees = [slice(n**2, (n + 1) ** 2) for n in range(4)]
        blocks = [attempt(f[..., here], psi[..., here]) for here in degrees]
        if torch.allclose(so3_ifft(blocks), layer(x), atol=1e-4):
            return Verdict(True, "That is S2Conv, degree by degree.")
    return Verdict(False, "Right for degree 2, but not for the others.")


def check_group_mean(attempt: Callable[[Tensor, Tensor], Any]) -> Verdict:
    """The mean over all rotations of samples in β α γ: ``attempt(x, beta)``.

    Args:
        attempt: takes ``(B, C, 2b, 2b, 2b)`` and the colatitudes ``(2b,)``, both float64;
            should give the mean over the group, ``(B, C)``, right to a thousandth.
    """
    beta, _ = dh_angles(16)
    height = beta.cos()[:, None, None].expand(32, 32, 32)
    wave = torch.linspace(0, 2 * math.pi, 33, dtype=torch.float64)[:-1].cos().expand(32, 32, 32)
    x = torch.stack([torch.ones_like(height), height**2, height**4, wave**2])[None]
    wanted = torch.tensor([[1, 1 / 3, 1 / 5, 1 / 2]], dtype=torch.float64)
    found, trouble = run_attempt(attempt, (x.clone(), beta))
    if trouble:
        return Verdict(False, trouble)
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        return Verdict(False, f"One number for each signal and channel, (B, C), not {what}.")
    if torch.allclose(found, wanted, atol=1e-3):
        return Verdict(True, "Each ring of rotations weighs sin β: this is the group's mean.")
    if torch.allclose(found, x.mean((-3, -2, -1))):
        said = "Every β counts the same, but near the poles there are fewer rotations: sin β."
    elif torch.allclose(found / found[:, :1], wanted, atol=1e-3):
        said = f"The mean of 1 comes out as {float(found[0, 0]):.3f}: divide by Σ sin β."
    elif torch.allclose(found, (x.mean((-3, -2)) * beta.sin()).sum(-1) / beta.sin().sum()):
        said = "The weights went to γ, the last axis. β is the third from the end."
    else:
        said = "The means of 1, cos²β, cos⁴β and cos²γ should be 1, 1/3, 1/5 and 1/2."
    return Verdict(False, said)


def _turned(pair: Tensor, m: int, angle: float) -> Tensor:
    """By the package's own rotation of degree 3."""
    c = torch.zeros(16, dtype=torch.float64)
    c[12 + m], c[12 - m] = pair
    turned = rotate_coefficients(c, SO3.from_zyz(angle, 0.0, 0.0))
    return torch.stack([turned[12 + m], turned[12 - m]])
