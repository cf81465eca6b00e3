"""Fields: group actions, turns by any angle, and what they refuse."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.ndimage
import torch

from equivlab.fields import Field, Invariant, RegularMaps, ScalarMaps, rotate_maps
from equivlab.groups import P4, P4M, PointGroup
from tests.laws import relative, sample

FIELDS = [kind(group, 3) for kind in (ScalarMaps, RegularMaps) for group in (P4, P4M)]


@pytest.mark.parametrize("field", FIELDS, ids=repr)
def test_act_is_an_action(field: Field) -> None:
    x = sample(field, 6)
    elements = field.group.elements
    assert torch.equal(field.act(0, x), x)
    for g, h in itertools.product(elements, repeat=2):
        both = field.act(field.group.compose(g, h), x)
        assert torch.equal(field.act(g, field.act(h, x)), both)


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
def test_regular_action_is_its_definition(group: PointGroup) -> None:
    """(g·f)(h, x) = f(g⁻¹h, g⁻¹x), pixel by pixel."""
    field = RegularMaps(group, 1)
    f = sample(field, 5, batch=1)
    for g in group.elements:
        moved = field.act(g, f)
        for h in group.elements:
            source = group.compose(group.inverse(g), h)
            assert torch.equal(moved[0, 0, h], group.move(g, f[0, 0, source]))


def test_invariants_stay_and_are_copies() -> None:
    x = torch.randn(2, 3)
    y = Invariant(P4, 3).act(1, x)
    assert torch.equal(x, y)
    assert y.data_ptr() != x.data_ptr()
    assert torch.equal(Invariant(P4, 3).rotate(0.3, x), x)


@pytest.mark.parametrize("field", FIELDS, ids=repr)
def test_rotate_is_act_at_quarter_turns(field: Field) -> None:
    x = sample(field, 7)
    for r in range(-4, 9):
        wanted = field.act(r % 4, x)
        assert relative(field.rotate(r * math.pi / 2, x), wanted) < 1e-13


@pytest.mark.parametrize("field", FIELDS, ids=repr)
def test_one_angle_for_each_sample(field: Field) -> None:
    x = sample(field, 8, batch=4)
    angles = torch.tensor([0.0, 0.4, math.pi / 2, 5.1])
    together = field.rotate(angles, x)
    for n, angle in enumerate(angles.tolist()):
        alone = field.rotate(angle, x[n : n + 1])
        assert torch.allclose(together[n : n + 1], alone, atol=1e-6)


@pytest.mark.parametrize("angle", [0.3, 1.0, 2.5, -0.7])
def test_resampling_agrees_with_scipy(angle: float) -> None:
    """Bilinear interpolation with zeros outside, as SciPy computes it."""
    x = sample(ScalarMaps(P4, 1), 15, batch=1)
    ours = rotate_maps(x, angle)[0, 0].numpy()
    theirs = scipy.ndimage.rotate(
        x[0, 0].numpy(), math.degrees(angle), reshape=False, order=1, mode="grid-constant"
    )
    inside = np.hypot(*np.indices((15, 15)) - 7) < 6.5  # the frame's border is another story
    assert np.abs(ours - theirs)[inside].max() < 1e-6


def test_there_and_back_is_near_on_smooth_maps() -> None:
    at = torch.linspace(-3, 3, 41, dtype=torch.float64)
    x = torch.exp(-(at[:, None] ** 2) - (at[None, :] - 0.5) ** 2)[None, None]
    assert relative(rotate_maps(rotate_maps(x, 0.6), -0.6), x) < 0.02


@pytest.mark.parametrize("side", [48, 49])
@pytest.mark.parametrize("angle", [0.3, 1.2, -2.5, 3.0])
def test_fourier_turns_a_blob_exactly(side: int, angle: float) -> None:
    """A Gaussian far from the frame, against the formula; interpolation is off by 2 %."""
    x = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    across, up = x[None, :], -x[:, None]
    c, s = math.cos(angle), math.sin(angle)

    def blob(right: float, above: float) -> torch.Tensor:
        return torch.exp(-((across - right) ** 2 + (up - above) ** 2) / 8)[None, None]

    wanted = blob(7 * c - 4 * s, 7 * s + 4 * c)
    assert relative(rotate_maps(blob(7, 4), angle, "fourier"), wanted) < 1e-6
    assert relative(rotate_maps(blob(7, 4), angle, "bicubic"), wanted) > 5e-3


def test_fourier_keeps_white_noise_white() -> None:
    """Every frequency keeps its power, where bilinear interpolation loses half of the variance."""
    noise = torch.randn(200, 1, 31, 31, generator=torch.Generator().manual_seed(0))
    angles = torch.rand(200, generator=torch.Generator().manual_seed(1)) * 7
    turned = rotate_maps(noise, angles, "fourier")
    assert abs(float(turned.var()) - 1) < 0.01
    neighbours = (turned[..., 1:] * turned[..., :-1]).mean()
    assert abs(float(neighbours)) < 0.01
    assert float(rotate_maps(noise, angles)[..., 8:-8, 8:-8].var()) < 0.6


def test_fourier_takes_any_axes_and_dtypes() -> None:
    x = torch.randn(2, 3, 4, 9, 9, requires_grad=True)
    turned = rotate_maps(x, torch.tensor([0.2, 2.0]), "fourier")
    alone = rotate_maps(x[1:, 2, 3:], 2.0, "fourier")
    assert torch.allclose(turned[1:, 2, 3:], alone, atol=1e-6)
    turned.square().sum().backward()
    assert x.grad is not None
    assert relative(x.grad, 2 * x) < 1e-5  # orthogonal; on even sides but for one frequency
    half = rotate_maps(x.detach().bfloat16(), 0.2, "fourier")
    assert half.dtype == torch.bfloat16


def test_random_element_follows_its_generator() -> None:
    def draw(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return [ScalarMaps(P4M, 1).random_element(generator) for _ in range(200)]

    assert draw(1) == draw(1) != draw(2)
    assert set(draw(1)) == set(range(8))


@pytest.mark.parametrize(
    ("field", "x", "kind", "words"),
    [
        (ScalarMaps(P4, 3), torch.zeros(3, 8, 8), ValueError, r"Add the batch axis: x\[None\]"),
        (ScalarMaps(P4, 3), torch.zeros(2, 3, 4, 8, 8), ValueError, r"GroupPool\(P4, 3\)"),
        (ScalarMaps(P4, 3), torch.zeros(2, 3), ValueError, "wants 4 axes, not 2"),
        (ScalarMaps(P4, 3), torch.zeros(2, 1, 8, 8), ValueError, "holds 1 channels, not 3"),
        (ScalarMaps(P4, 3), torch.zeros(0, 3, 8, 8), ValueError, "empty. Skip empty batches"),
        (ScalarMaps(P4, 3), torch.zeros(2, 3, 8, 8).int(), TypeError, r"int32.*x.float\(\)"),
        (ScalarMaps(P4, 3), np.zeros((2, 3, 8, 8)), TypeError, r"got ndarray.*as_tensor"),
        (RegularMaps(P4, 3), torch.zeros(2, 3, 8, 8), ValueError, r"LiftingConv2d\(P4, 3"),
        (RegularMaps(P4, 3), torch.zeros(2, 3, 8, 8, 8), ValueError, "8 group elements and P4"),
        (RegularMaps(P4, 3), torch.zeros(2, 3), ValueError, "wants 5 axes, not 2"),
        (Invariant(P4, 3), torch.zeros(2, 3, 8, 8), ValueError, r"InvariantReadout\(P4, 3\)"),
        (Invariant(P4, 3), torch.zeros(2), ValueError, "wants 2 axes, not 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(
    field: Field, x: object, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        field.validate(x)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_is_refused_where_asked(bad: float) -> None:
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 1, 2] = bad
    field = ScalarMaps(P4, 1)
    assert field.validate(x) is x
    with pytest.raises(ValueError, match=r"1 NaN or infinite of 16.*nan_to_num"):
        field.validate(x, finite=True)


@pytest.mark.parametrize(
    ("x", "angle", "mode", "words"),
    [
        (torch.zeros(1, 1, 4, 5), 0.1, "bilinear", "square maps"),
        (torch.zeros(2, 1, 4, 4), torch.zeros(3), "fourier", "one for each of the 2 samples"),
        (torch.zeros(1, 1, 4, 4), 0.1, "lanczos", "bicubic, nearest, fourier; got 'lanczos'"),
    ],
)
def test_rotate_maps_refuses(x: torch.Tensor, angle: float, mode: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rotate_maps(x, angle, mode)
