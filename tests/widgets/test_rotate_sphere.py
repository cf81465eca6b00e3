"""RotateSphere without a browser: what it computes, answers, accepts and refuses."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from equivlab.data import globe_signals
from equivlab.nn import HealpixToSphere, S2Conv, SO3Integrate, SpinConv
from equivlab.so3 import SO3
from equivlab.sphere import healpix_isht, ring_to_nest
from equivlab.widgets import RotateSphere
from equivlab.widgets.sphere_signals import HOLE, as_signals, as_texture


def network(channels: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(S2Conv(1, channels, 8, 6), SO3Integrate(channels, 6))


def flat_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Conv2d(1, 2, 5, padding=2, padding_mode="circular")


@pytest.fixture(scope="module")
def widget() -> RotateSphere:
    return RotateSphere(network(), globe_signals(bandwidth=8), channels=(0, 2))


def rotation(seed: int = 0) -> Tensor:
    return SO3.random_element(torch.Generator().manual_seed(seed))


def test_repr_says_what_is_shown(widget: RotateSphere) -> None:
    wanted = "RotateSphere(4 signals, features on SO(3), 12 γ, 2 of 3 channels, bandwidth 6)"
    assert repr(widget) == wanted
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == wanted
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    flat = RotateSphere(flat_network(), globe_signals(bandwidth=8))
    assert "features on the sphere, 1 of 2 channels, bandwidth 8" in repr(flat)


def test_an_equivariant_network_stands_still_and_a_flat_one_does_not(widget: RotateSphere) -> None:
    flat = RotateSphere(flat_network(), globe_signals(bandwidth=8))
    for seed in range(3):
        g = rotation(seed)
        answer = widget.engine.turn(seed, g)
        assert answer.error < 5e-6
        assert answer.levels.shape == (2, 2, 12, 24, 24)
        rest = widget.engine.turn(seed, SO3.identity).levels
        assert int((answer.levels[1].int() - rest[1].int()).abs().max()) <= 1
        assert int((answer.levels[0].int() - rest[0].int()).abs().max()) > 20
        assert flat.engine.turn(seed, g).error > 0.1


def test_features_of_few_orders_are_shown_at_several_angles() -> None:
    torch.manual_seed(0)
    lift, conv = SpinConv(1, 3, 8, 6, 0, 2), SpinConv(3, 2, 6, 5, 2, 0)
    signals = globe_signals(bandwidth=8)
    widget = RotateSphere(nn.Sequential(lift, conv), signals, layer="0", channels=(1,))
    answer = widget.engine.turn(0, rotation())
    assert answer.error < 5e-6
    assert answer.levels.shape == (2, 1, 8, 12, 12)
    rest = widget.engine.turn(0, SO3.identity).levels
    assert int((answer.levels[1].int() - rest[1].int()).abs().max()) <= 1
    assert int((rest[0, 0].int() - 127).abs().max()) == 127  # the colours reach their ends
    opposite = rest[0, 0, 4].int() - rest[0, 0, 0].int()
    assert int(opposite.abs().max()) > 20  # half a turn is felt by the order 1
    assert RotateSphere(nn.Sequential(lift, conv), signals).engine.texture_shape == (1, 10, 10)


def test_the_trait_turns_the_globe(widget: RotateSphere) -> None:
    widget.turn(rotation(1))
    assert np.allclose(widget.rotation, rotation(1).flatten())
    assert widget.error() < 5e-6
    widget.rotation = [1.0, 0, 0, 0, 1, 0, 0, 0, 1]
    assert widget.error() < 1e-6


def ask(widget: RotateSphere, question: Any) -> list[tuple[Any, list[bytes]]]:
    said: list[tuple[Any, list[bytes]]] = []
    widget.send = lambda content, buffers=None: said.append((content, buffers or []))
    widget._hear(widget, question, [])
    return said


def test_questions_are_answered_and_problems_told(widget: RotateSphere) -> None:
    drifted = (rotation(2) * (1 + 1e-3)).flatten().tolist()
    [(answer, [levels])] = ask(
        widget, {"kind": "turn", "id": "a:7", "signal": 1, "rotation": drifted}
    )
    assert answer["id"] == "a:7"
    assert answer["error"] < 5e-6
    assert answer["ms"] > 0
    assert len(levels) == 2 * 2 * 12 * 24**2
    for question in (
        {"kind": "turn", "id": 1, "signal": 99, "rotation": drifted},
        {"kind": "turn", "id": 1, "signal": 0, "rotation": [1.0] * 4},
        {"kind": "turn", "id": 1},
    ):
        [(answer, buffers)] = ask(widget, question)
        assert answer["problem"]
        assert buffers == []
    assert ask(widget, {"kind": "other"}) == []
    assert ask(widget, "nonsense") == []


def test_healpix_in_and_out() -> None:
    signals = globe_signals(nside=8)
    lifted = nn.Sequential(HealpixToSphere(1, 8, 8), *network())
    assert RotateSphere(lifted, signals).engine.turn(0, rotation()).error < 1e-5
    same = RotateSphere(nn.Identity(), signals)  # the signal itself, below 2·nside
    assert same.engine.turn(0, rotation()).error < 1e-5
    assert same.engine.texture_shape == (1, 32, 32)
    finer = RotateSphere(network(), globe_signals(nside=16))  # HEALPix, for an equiangular model
    assert finer.engine.turn(0, rotation()).error < 5e-6


def test_signals_in_every_shape() -> None:
    grid, maps = torch.zeros(16, 16), torch.zeros(192)
    for given, shape in [
        (grid, (1, 1, 16, 16)),
        (grid.expand(3, 2, 16, 16), (3, 2, 16, 16)),
        (grid.numpy(), (1, 1, 16, 16)),
        (maps, (1, 1, 192)),
        (maps.expand(5, 2, 192), (5, 2, 192)),
        ({"a": grid, "b": grid}, (2, 1, 16, 16)),
        ({"a": grid[None]}, (1, 1, 16, 16)),
        ({"a": maps, "b": maps}, (2, 1, 192)),
        ({"a": maps[None]}, (1, 1, 192)),
    ]:
        names, x = as_signals(given)
        assert x.shape == shape
        assert len(names) == len(x)
    assert as_signals({"a": grid})[0] == ["a"]


def test_signals_that_are_refused() -> None:
    for bad, match in [
        (torch.zeros(1, 1, 15, 15), "globe_signals"),
        (torch.zeros(1, 1, 16, 14), "globe_signals"),
        (torch.zeros(0, 1, 16, 16), "globe_signals"),
        (torch.zeros(1, 1, 108), "power of two"),
        ({"a": torch.zeros(192), "b": torch.zeros(768)}, "one shape"),
        ({}, "one shape"),
    ]:
        with pytest.raises(ValueError, match=match):
            as_signals(bad)
    with pytest.raises(TypeError, match="got str"):
        as_signals("earth")
    smooth = healpix_isht(torch.randn(64, generator=torch.Generator().manual_seed(0)), 16)
    with pytest.raises(ValueError, match="nest_to_ring"):
        as_signals(ring_to_nest(smooth))


def test_holes_are_grey_and_count_as_zero() -> None:
    x = torch.rand(1, 1, 16, 16)
    x[0, 0, 3:6, 4] = math.nan
    texture = as_texture(x)
    assert int((texture == HOLE).sum()) == 3
    assert int(texture[texture != HOLE].max()) == 254
    maps = torch.rand(1, 1, 768)
    maps[..., :200] = -1.6375e30
    texture = as_texture(maps)
    assert bool((texture[0, 0] == HOLE).all())
    assert not bool((texture[0, -1] == HOLE).any())
    assert RotateSphere(network(), x).engine.turn(0, rotation()).error < 1e-5


def test_models_that_cannot_be_shown() -> None:
    signals = globe_signals(bandwidth=8)
    for layer in ("0", None):
        assert RotateSphere(network(), signals, layer=layer).engine.layer == "0"
    with pytest.raises(ValueError, match=r"no layer 'nine'. It has: 0, 1"):
        RotateSphere(network(), signals, layer="nine")
    with pytest.raises(ValueError, match="'1' gives no signal"):
        RotateSphere(network(), signals, layer="1")
    with pytest.raises(ValueError, match="channels 0 to 2; got"):
        RotateSphere(network(), signals, channels=(3,))
    with pytest.raises(ValueError, match="no layer of this model"):
        RotateSphere(nn.Flatten(), signals)
    with pytest.raises(ValueError, match="takes"):
        RotateSphere(S2Conv(2, 3, 8, 6), signals)
