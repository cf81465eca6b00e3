"""Gates, lengths and read-outs against the definition, written with plain slices."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.nn import (
    IrrepAvgPool3d,
    IrrepGate,
    IrrepNorms,
    IrrepPointReadout,
    IrrepReadout,
)
from tests.nn.oracles import oracle_of

KINDS = "2x0e + 1x0o + 2x1o"  # two scalars, one that a mirror turns round, two arrows


def noise(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def lengths(x: Tensor) -> Tensor:
    arrows = [x[:, 3:6].square().sum(1).sqrt(), x[:, 6:].square().sum(1).sqrt()]
    return torch.stack([x[:, 0], x[:, 1], x[:, 2].abs(), *arrows], 1)


@oracle_of(IrrepNorms)
def test_norms_are_scalars_and_lengths() -> None:
    x = noise(2, 9, 3, 3, 3)
    assert torch.allclose(IrrepNorms(KINDS)(x), lengths(x))


@oracle_of(IrrepGate)
def test_a_gate_opens_all_but_scalars() -> None:
    x = noise(2, 12, 3, 3, 3)
    scalars, gates, others = x[:, :2], torch.sigmoid(x[:, 2:5]), x[:, 5:]
    opened = [others[:, :1] * gates[:, :1], others[:, 1:4] * gates[:, 1:2]]
    wanted = torch.cat([F.silu(scalars), *opened, others[:, 4:] * gates[:, 2:]], 1)
    assert torch.allclose(IrrepGate(KINDS, activation=F.silu)(x), wanted)


@oracle_of(IrrepAvgPool3d)
def test_pools_are_torchs() -> None:
    x = noise(2, 9, 6, 6, 6)
    assert torch.equal(IrrepAvgPool3d(KINDS, 4, 2, 1)(x), F.avg_pool3d(x, 4, 2, 1))


@oracle_of(IrrepReadout)
def test_read_outs_of_maps() -> None:
    x = noise(2, 9, 3, 3, 3)
    over = (2, 3, 4)
    scalars, arrows = x[:, :2], x[:, 2:].square().mean(over)
    power = torch.stack([arrows[:, 0], arrows[:, 1:4].sum(1), arrows[:, 4:].sum(1)], 1)
    rms = torch.cat([scalars.square().mean(over), power], 1).sqrt()
    for space, wanted in (
        ("mean", lengths(x).mean(over)),
        ("max", lengths(x).amax(over)),
        ("rms", rms),
    ):
        assert torch.allclose(IrrepReadout(KINDS, space)(x), wanted)


@oracle_of(IrrepPointReadout)
@pytest.mark.parametrize("space", ["mean", "sum", "max"])
def test_read_outs_of_points_are_those_of_each_cloud(space: str) -> None:
    x, batch = noise(7, 9), torch.tensor([0, 0, 1, 1, 1, 1, 1])
    reduce = {"mean": torch.mean, "sum": torch.sum, "max": torch.amax}[space]
    wanted = torch.stack([reduce(lengths(x[:2]), 0), reduce(lengths(x[2:]), 0)])
    assert torch.allclose(IrrepPointReadout(KINDS, space)(x, batch), wanted)  # type: ignore[arg-type]
