"""What a mode was there for once changes nothing afterwards, in a process of its own, unforked."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode

from equivlab.models import SphericalMoleculeCNN, spherical_digit_cnn
from equivlab.nn import IrrepPointReadout, PointConv, S2Conv, find_neighbors
from equivlab.sphere import s2_near_identity_grid
from equivlab.tables import apart
from tests.modes.alone import run_alone


@cache
def found_after(mode: str) -> dict[str, list[Tensor]]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "found.pt"
        run_alone("tests.modes.poison", mode, str(file))
        found: dict[str, list[Tensor]] = torch.load(file)
    return found


@pytest.mark.parametrize("mode", ["export", "meta", "fake", "inference"])
def test_a_mode_leaves_nothing_behind(mode: str) -> None:
    wanted, found = found_after("never"), found_after(mode)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        for value, again in zip(values, found[name], strict=True):
            assert torch.equal(value, again), name


@pytest.fixture
def positions() -> Tensor:
    return torch.randn(6, 3, generator=torch.Generator().manual_seed(0))


def test_neighbors_remember_what_no_mode_made(positions: Tensor) -> None:
    """Harmonics first asked for in half precision, by an exporter or without gradients."""
    wanted = find_neighbors(positions, 3.0).harmonics(2)
    layer = PointConv("2x0e", "1x0e + 1x1o", 3.0).eval()
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(1))
    near = find_neighbors(positions, 3.0)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        layer(x, near)
    assert torch.equal(near.harmonics(2), wanted)
    assert not near.harmonics(2).is_inference()
    near = find_neighbors(positions, 3.0)
    torch.export.export(layer, (x, near))
    assert type(near.harmonics(2)) is Tensor
    assert torch.equal(near.harmonics(2), wanted)


def test_neighbors_changed_are_measured_anew(positions: Tensor) -> None:
    from dataclasses import replace

    near = find_neighbors(positions, 3.0)
    wanted = 2 * near.distance()
    assert torch.allclose(replace(near, vector=2 * near.vector).distance(), wanted)


def test_an_exported_convolution_takes_other_neighbors(positions: Tensor) -> None:
    layer = PointConv("2x0e", "1x0e + 1x1o", 9.0).eval()
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(1))
    program = torch.export.export(layer, (x, find_neighbors(positions, 9.0))).module()
    near = find_neighbors(positions.flip(0), 9.0)
    assert torch.allclose(program(x, near), layer(x, near), atol=1e-6)


@pytest.mark.parametrize("space", ["mean", "max", "sum"])
def test_clouds_told_are_those_counted(space: str, positions: Tensor) -> None:
    layer = IrrepPointReadout("1x1o", space)  # type: ignore[arg-type]
    batch = torch.tensor([0, 1, 1, 2, 2, 0])
    assert torch.equal(layer(positions, batch, 3), layer(positions, batch))
    with pytest.raises(ValueError, match="was told of clouds=2; batch numbers 3"):
        layer(positions, batch, 2)
    with pytest.raises(ValueError, match="cloud 3 of 4 has no points"):
        layer(positions, batch, 4)


def test_untold_clouds_under_vmap(positions: Tensor) -> None:
    layer = IrrepPointReadout("1x1o")
    batches = torch.tensor([[0, 1, 1, 2, 2, 0], [0, 1, 2, 2, 1, 0]])
    with pytest.raises(ValueError, match="Tell it: clouds="):
        torch.vmap(lambda batch: layer(positions, batch))(batches)
    told = torch.vmap(lambda batch: layer(positions, batch, 3))(batches)
    assert torch.allclose(told[1], layer(positions, batches[1]))


def test_a_kernel_grid_without_numbers() -> None:
    real = s2_near_identity_grid()
    with FakeTensorMode() as mode, pytest.raises(ValueError, match="has no numbers"):
        S2Conv(1, 1, 2, 2, mode.from_tensor(real))
    with pytest.raises(ValueError, match="has no numbers"):
        S2Conv(1, 1, 2, 2, real.to("meta"))


def test_a_network_of_spheres_is_made_on_meta() -> None:
    with torch.device("meta"):
        model = spherical_digit_cnn(bandwidth=5)
    wanted = spherical_digit_cnn(bandwidth=5).eval()
    model = model.to_empty(device="cpu").eval()
    model.load_state_dict(wanted.state_dict())
    x = torch.rand(2, 1, 10, 10)
    assert torch.equal(model(x), wanted(x))


def test_atoms_that_nobody_can_count() -> None:
    x = torch.rand(2, 3, 2, 8, 8)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    model = SphericalMoleculeCNN(2, bandwidth=4).eval()
    with torch.no_grad():
        program = torch.export.export(model, (x, mask)).module()
        assert torch.allclose(program(x, mask), model(x, mask), atol=1e-5)
        assert torch.allclose(program(x, ~mask), model(x, ~mask), atol=1e-5)
    with pytest.raises(ValueError, match=r"For inference call model\.eval\(\) first"):
        model.train().to("meta")(x.to("meta"), mask.to("meta"))


def test_what_is_made_apart_is_in_no_mode() -> None:
    with torch.device("meta"), torch.inference_mode():
        made = apart(torch.zeros, 2)
    assert made.device.type == "cpu"
    assert not made.is_inference()
