"""Exact rotation against the functions themselves, evaluated at turned points."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from e3nn import o3

from equivlab.fields import Invariant, RotationMaps, SphereMaps
from equivlab.so3 import SO3
from equivlab.sphere import (
    dh_angles,
    healpix_isht,
    healpix_sht,
    rotate_blocks,
    rotate_coefficients,
    rotate_healpix,
    rotate_s2,
    rotate_so3,
    rotate_spin,
    s2_fft,
    s2_ifft,
    so3_fft,
    so3_ifft,
    spin_fft,
    spin_ifft,
    wigner_D,
)

R, Q = SO3.random_elements(2, torch.Generator().manual_seed(3))


def evaluate(coefficients: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """``f = Σ f_lm Y_lm`` at unit vectors, with e3nn's harmonics."""
    degrees = list(range(round(coefficients.shape[-1] ** 0.5)))
    Y = o3.spherical_harmonics(degrees, points[..., [1, 2, 0]], False, "integral")
    return Y @ coefficients


def test_rotated_signal_is_the_signal_at_turned_points() -> None:
    f = torch.randn(49, dtype=torch.float64)
    beta, alpha = torch.meshgrid(*dh_angles(7), indexing="ij")
    xyz = [beta.sin() * alpha.cos(), beta.sin() * alpha.sin(), beta.cos()]
    points = torch.stack(xyz, -1)
    wanted = evaluate(f, points @ R)  # rows: (R⁻¹x)ᵀ = xᵀR
    assert float((rotate_s2(s2_ifft(f), R) - wanted).abs().max()) < 1e-12


def test_rotated_signal_on_so3_is_the_signal_at_turned_rotations() -> None:
    blocks = [torch.randn(side, side, dtype=torch.float64) for side in (1, 3, 5)]
    beta, alpha = dh_angles(3)
    b, a, c = torch.meshgrid(beta, alpha, alpha, indexing="ij")
    matrices = wigner_D(R.mT @ SO3.from_zyz(a, b, c), 3)
    wanted = sum(len(F) * (F * D).sum((-2, -1)) for F, D in zip(blocks, matrices, strict=True))
    assert float((rotate_so3(so3_ifft(blocks), R) - wanted).abs().max()) < 1e-12


def test_composition_and_batches() -> None:
    x = s2_ifft(torch.randn(2, 3, 64, dtype=torch.float64))
    y = so3_ifft([torch.randn(2, 3, side, side, dtype=torch.float64) for side in (1, 3, 5, 7)])
    for rotate, signal in ((rotate_s2, x), (rotate_so3, y)):
        twice = rotate(rotate(signal, R), Q)
        assert torch.allclose(twice, rotate(signal, SO3.compose(Q, R)), atol=1e-11)
        each = rotate(signal, torch.stack([R, Q]))
        assert torch.allclose(each[1], rotate(signal[1], Q), atol=1e-11)
        many = rotate(signal[:1], torch.stack([R, Q, R]))
        assert torch.allclose(many[2], rotate(signal[0], R), atol=1e-11)


def test_turns_about_the_axis_shift_samples() -> None:
    x = s2_ifft(torch.randn(25, dtype=torch.float64))
    step = float(dh_angles(5)[1][3])
    assert torch.allclose(rotate_s2(x, SO3.from_zyz(step, 0.0, 0.0)), x.roll(3, -1), atol=1e-12)


def test_gradient_turns_back() -> None:
    x = s2_ifft(torch.randn(1, 1, 16, dtype=torch.float64)).requires_grad_()
    v = s2_ifft(torch.randn(1, 1, 16, dtype=torch.float64))
    (gradient,) = torch.autograd.grad((s2_fft(rotate_s2(x, R)) * s2_fft(v)).sum(), x)
    (wanted,) = torch.autograd.grad((s2_fft(x) * s2_fft(rotate_s2(v, R.mT))).sum(), x)
    assert torch.allclose(gradient, wanted, atol=1e-12)


@pytest.mark.parametrize("field", [SphereMaps(3, 4), RotationMaps(3, 4), Invariant(SO3, 3)])
def test_fields_act_and_say_what_they_take(field: SphereMaps) -> None:
    shape = {"SphereMaps": (2, 3, 8, 8), "RotationMaps": (2, 3, 8, 8, 8)}
    x = torch.randn(shape.get(type(field).__name__, (2, 3)))
    assert field.validate(x) is x
    assert field.act(field.random_element(torch.Generator().manual_seed(0)), x).shape == x.shape
    assert str(tuple(x.shape)).replace("2,", "B,", 1) == field.shape


@pytest.mark.parametrize(
    ("field", "shape", "words"),
    [
        (SphereMaps(3, 4), (3, 8, 8), r"x\[None\]"),
        (SphereMaps(3, 4), (2, 3, 8), "or that of the channels"),
        (SphereMaps(3, 4), (2, 3, 10, 10), r"s2_ifft\(s2_fft\(x, lmax=3\), 4\)"),
        (SphereMaps(3, 4), (2, 3, 8, 10), "same even number"),
        (SphereMaps(3, 4), (2, 5, 8, 8), "holds 5 channels"),
        (SphereMaps(3, 4), (2, 3, 8, 8, 8), "SO3Conv"),
        (SphereMaps(3, 4), (8, 8), "4 axes"),
        (RotationMaps(3, 4), (2, 3, 8, 8), "S2Conv"),
        (RotationMaps(3, 4), (2, 3, 6, 6, 6), r"bandwidth_in=3"),
        (RotationMaps(3, 4), (8, 8), "5 axes"),
        (Invariant(SO3, 3), (2, 3, 8, 8, 8), "SO3Integrate"),
        (Invariant(SO3, 3), (2, 4), "holds 4 channels"),
    ],
)
def test_fields_refuse_with_a_remedy(field: SphereMaps, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        field.validate(torch.zeros(shape))


@pytest.mark.parametrize(
    ("field", "shape"),
    [
        (SphereMaps(3, 4), (2, 3, 10, 10)),
        (SphereMaps(3, 4), (2, 3, 6, 6)),
        (RotationMaps(1, 3), (1, 1, 8, 8, 8)),
        (RotationMaps(1, 3), (1, 1, 4, 4, 4)),
    ],
)
def test_the_remedy_for_another_bandwidth_works(
    field: SphereMaps | RotationMaps, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="Change the bandwidth: ") as refused:
        field.validate(torch.zeros(shape))
    call = str(refused.value).partition("Change the bandwidth: ")[2].partition(", or")[0]
    names = {"s2_fft": s2_fft, "s2_ifft": s2_ifft, "so3_fft": so3_fft, "so3_ifft": so3_ifft}
    found = eval(call, names | {"x": torch.ones(shape)})  # noqa: S307, our own message
    assert torch.allclose(field.validate(found), torch.ones(()), atol=1e-5)


@pytest.mark.parametrize("take", [s2_fft, so3_fft, spin_fft])
def test_no_signals_at_all(take: Callable[[torch.Tensor], object]) -> None:
    with pytest.raises(ValueError, match=r"at least one signal; got \(0, 3, 8, 8, 8\)"):
        take(torch.zeros(0, 3, 8, 8, 8))


def test_errors() -> None:
    with pytest.raises(ValueError, match="2 rotations turn as many signals"):
        rotate_s2(torch.zeros(3, 8, 8), torch.stack([R, Q]))
    with pytest.raises(ValueError, match="no axis"):
        rotate_s2(torch.zeros(8, 8), torch.stack([R, Q]))
    with pytest.raises(ValueError, match=r"reshape\(-1, 3, 3\)"):
        rotate_s2(torch.zeros(2, 8, 8), torch.eye(3).expand(1, 2, 3, 3))
    with pytest.raises(TypeError, match="tensor"):
        rotate_s2(torch.zeros(2, 8, 8), 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_and_returned_in_single(dtype: torch.dtype) -> None:
    R = SO3.random_element(torch.Generator().manual_seed(0))
    sizes = {
        s2_fft: (8, 8),
        s2_ifft: (16,),
        spin_fft: (3, 8, 8),
        spin_ifft: (3, 16),
        lambda x: so3_ifft(so3_fft(x)): (8, 8, 8),
        healpix_sht: (192,),
        lambda c: healpix_isht(c, 4): (16,),
        lambda x: rotate_s2(x, R): (8, 8),
        lambda x: rotate_so3(x, R): (8, 8, 8),
        lambda x: rotate_spin(x, R): (3, 8, 8),
        lambda x: rotate_healpix(x, R): (192,),
        lambda c: rotate_coefficients(c, R): (16,),
        lambda F: rotate_blocks([F], R)[0]: (1, 1),
    }
    for function, shape in sizes.items():
        x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1)).to(dtype)
        found = function(x)
        assert found.dtype == torch.float32
        assert torch.equal(found, function(x.float()))
