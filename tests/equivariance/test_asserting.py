"""assert_equivariant: what it lets pass, and what it says of the rest."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from equivlab.equivariance import assert_equivariant, law_errors
from equivlab.fields import CartesianVectors, Invariant, IrrepPoints, RegularMaps, ScalarMaps
from equivlab.groups import P4, P4M
from equivlab.nn import GroupConv2d, LiftingConv2d, PointConv, S2Conv, find_neighbors
from equivlab.so3 import SO3
from equivlab.sphere import s2_ifft
from tests.equivariance.networks import Own, arrows, seeded

IMAGE = seeded(1, 1, 6, 6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_sound_layers_of_every_domain_pass(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    assert_equivariant(LiftingConv2d(P4M, 1, 2, 3, dtype=dtype), IMAGE.to(dtype))
    assert_equivariant(S2Conv(1, 2, 4, 3, dtype=dtype), s2_ifft(seeded(1, 1, 16).to(dtype)))
    net = torch.nn.Sequential(torch.nn.Sequential(*arrows())).to(dtype)
    assert_equivariant(net, IMAGE.to(dtype))
    assert_equivariant(Own(*arrows()).to(dtype), IMAGE.to(dtype))
    points = seeded(8, 3).to(dtype)
    layer = PointConv("1x0e", "2x0e + 1x1o", 2.0, dtype=dtype)
    near = find_neighbors(points, 2.0)
    assert_equivariant(layer, (torch.ones(8, 1, dtype=dtype), near), tolerance=1e-5)


def test_the_message_names_the_element_the_size_and_the_cause() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(LiftingConv2d(P4, 1, 2, 3), GroupConv2d(P4, 2, 1, 3, stride=2))
    with pytest.raises(AssertionError) as caught:
        assert_equivariant(net, IMAGE)
    lines = str(caught.value).splitlines()
    assert lines[0] == "Sequential breaks the law layer(act(g, x)) == act(g, layer(x))."
    assert lines[1].startswith("  0°: relative error 0.0e+00")
    assert "broken" not in lines[1]
    assert lines[2].startswith("  90°: relative error ")
    assert lines[2].endswith("broken")
    assert "allowed: 1.0e-05 (float32)" in lines[5]
    assert lines[6].startswith("  likely cause: 1: stride 2 with kernel 3")


def test_elements_and_tolerance_are_the_users() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 1, 3)
    conv.weight.data = conv.weight.data + conv.weight.data.rot90(2, (-2, -1))
    errors = law_errors(conv, IMAGE, group=P4)
    assert errors["180°"] < 1e-6 < 1e-2 < errors["90°"]
    assert_equivariant(conv, IMAGE, group=P4, elements=[0, 2])
    assert_equivariant(conv, IMAGE, group=P4, tolerance=2 * errors["90°"])
    for some in (torch.tensor([0, 2]), np.array([0, 2]), [torch.tensor(0), np.int64(2)], range(1)):
        assert_equivariant(conv, IMAGE, group=P4, elements=some)
    with pytest.raises(AssertionError):
        assert_equivariant(conv, IMAGE, group=P4)
    turns = SO3.random_elements(2, torch.Generator().manual_seed(0))
    x = s2_ifft(seeded(1, 1, 16))
    assert len(law_errors(S2Conv(1, 1, 4, 3), x, elements=turns)) == 2


class Attention(nn.Module):
    """Forces from positions, and energies: two outputs of two kinds."""

    def forward(self, positions: Tensor, charges: Tensor) -> dict[str, Tensor]:
        off = positions[:, None] - positions[None]
        weights = torch.exp(-off.square().sum(-1)) * charges
        return {"forces": (weights[..., None] * off).sum(1), "energy": weights.sum(1)}


def test_fields_and_outputs_can_be_said() -> None:
    given = (seeded(6, 3), torch.arange(1.0, 7))
    fields = [CartesianVectors(), Invariant(SO3, 6)]
    for output in ("energy", "forces", lambda y: y["forces"]):
        assert_equivariant(Attention(), given, group=SO3, in_field=fields, output=output)
    named = {"positions": given[0], "charges": given[1]}
    assert_equivariant(Attention(), named, group=SO3, output="forces")
    with pytest.raises(AssertionError):  # they are no numbers that stay
        assert_equivariant(
            Attention(), given, in_field=fields, output="forces", out_field=Invariant(SO3, 3)
        )


def test_it_runs_as_the_layer_is_and_leaves_the_input() -> None:
    x = IMAGE.clone()
    drops = nn.Sequential(nn.ReLU(inplace=True), nn.Dropout(0.5))
    with pytest.raises(AssertionError):
        assert_equivariant(drops.train(), x, group=P4)
    assert_equivariant(drops.eval(), x, group=P4)
    assert torch.equal(x, IMAGE)
    assert x.grad is None


def test_what_is_no_group_and_no_element() -> None:
    """A word for a group is not taken for the rotations of space."""
    x = s2_ifft(seeded(1, 1, 16))
    with pytest.raises(TypeError, match="such as P4 or SO2, or SO3; got group='P4'"):
        assert_equivariant(nn.Identity(), IMAGE, group="P4")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"are whole numbers; got '90°'"):
        assert_equivariant(nn.Identity(), IMAGE, group=P4, elements=["90°"])
    for group, given in ((P4, IMAGE), (SO3, x)):
        with pytest.raises(ValueError, match="names no element; leave it out"):
            assert_equivariant(nn.Identity(), given, group=group, elements=[])


def test_what_it_cannot_know() -> None:
    with pytest.raises(ValueError, match="group=P4, group=P4M or group=SO3"):
        assert_equivariant(nn.Conv2d(1, 1, 3), IMAGE)
    with pytest.raises(ValueError, match="out_field="):
        assert_equivariant(nn.Unflatten(1, (1, 1, 1)), IMAGE, group=P4)
    with pytest.raises(ValueError, match="is no field on which P4 acts"):
        assert_equivariant(nn.ReLU(), IMAGE, group=P4, in_field=IrrepPoints("1x0e"))
    with pytest.raises(ValueError, match="takes"):
        assert_equivariant(nn.ReLU(), IMAGE, group=P4, in_field=RegularMaps(P4, 1))
    assert_equivariant(nn.ReLU(), IMAGE, in_field=ScalarMaps(P4, 1))
