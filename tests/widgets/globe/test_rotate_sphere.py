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
from equivlab.widgets.globe.signals import HOLE, as_signals, as_texture


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


def test_questions_are_answered_and_problems_told(widget: RotateSphere) -> None:
    drifted = (rotation(2) * (1 + 1e-3)).flatten().tolist()
    answer, [levels] = widget.ask({"signal": 1, "rotation": drifted}, [])
    assert answer["errors"][0] < 5e-6
    assert answer["ms"] > 0
    assert len(levels) == 2 * 12 * 24**2  # of the channel on show
    _, [second] = widget.ask({"signal": 1, "rotation": drifted, "channel": 1}, [])
    whole = widget.engine.turn(1, rotation(2)).levels
    assert second == whole[:, 1].numpy().tobytes()
    assert levels == whole[:, 0].numpy().tobytes()
    for question in (
        {"signal": 99, "rotation": drifted},
        {"signal": 0, "rotation": [1.0] * 4},
        {"signal": 0, "rotation": [math.nan] * 9},
        {},
        "nonsense",
    ):
        answer, buffers = widget.ask(question, [])
        assert answer["problem"]
        assert buffers == []


def test_a_message_as_anywidget_sends_it_is_answered(widget: RotateSphere) -> None:
    """The page's question by way of anywidget: its identity comes back with the answer."""
    said: list[tuple[Any, list[bytes]]] = []
    widget.send = lambda content, buffers=None: said.append((content, buffers or []))
    question = {"signal": 0, "rotation": rotation(3).flatten().tolist()}
    message = {"id": "a7", "kind": "anywidget-command", "name": "ask", "msg": question}
    widget._handle_custom_msg(message, [])
    widget._handle_custom_msg({"kind": "other"}, [])
    [(content, [levels])] = said
    assert (content["id"], content["kind"]) == ("a7", "anywidget-command-response")
    assert content["response"]["errors"][0] < 5e-6
    assert len(levels) == 2 * 12 * 24**2


def test_two_networks_stand_one_below_the_other() -> None:
    widget = RotateSphere(network(), globe_signals(bandwidth=8), flat_network())
    assert "bandwidth 6, beside plain CNN)" in repr(widget)
    question = {"signal": 1, "rotation": rotation().flatten().tolist()}
    answer, buffers = widget.ask(question, [])
    assert answer["errors"][0] < 5e-6 < 0.1 < answer["errors"][1]
    assert [len(buffer) for buffer in buffers] == [2 * 12 * 24**2, 2 * 16**2]
    assert [view["role"] for view in widget._spec["views"]] == [("equivariant", 0), ("plain", 0)]


def test_recorded_poses_are_true() -> None:
    """Those for pages without a kernel: what the engine gives there, and the number."""
    widget = RotateSphere(network(), globe_signals(bandwidth=8), channels=(0, 2), turns=4)
    poses = torch.tensor(widget._spec["poses"], dtype=torch.float64).view(-1, 3, 3)
    assert torch.allclose(poses[1], SO3.from_zyz(math.pi / 2, 0.0, 0.0))
    levels = np.frombuffer(widget._features, np.uint8).reshape(4, 4, 2, 2, 12, 24, 24)
    answer = widget.engine.turn(3, poses[2])
    assert np.array_equal(levels[3, 2], answer.levels.numpy())
    assert widget._spec["views"][0]["errors"][3][2] == pytest.approx(answer.error, rel=1e-3)
    assert len(RotateSphere(network(), globe_signals(bandwidth=8), turns=0)._spec["poses"]) == 1


def test_hundreds_of_channels_are_bounded() -> None:
    """Of 250 channels on SO(3) a few come with the page, and an answer holds one."""
    wide = S2Conv(1, 250, 8, 8)
    widget = RotateSphere(wide, globe_signals(bandwidth=8), channels=range(250))
    assert len(widget._features) <= 6_000_000
    assert 0 < widget._spec["views"][0]["recorded"] < 250
    question = {"signal": 0, "rotation": rotation().flatten().tolist(), "channel": 249}
    _, [levels] = widget.ask(question, [])
    assert len(levels) == 2 * 16 * 32**2


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


def test_the_budget_tells_what_folds_back_from_what_the_model_does() -> None:
    """A ReLU makes degrees above the bandwidth; a plain convolution obeys none on any grid."""
    torch.manual_seed(0)
    bent = nn.Sequential(S2Conv(1, 2, 8, 4), nn.ReLU())
    widget = RotateSphere(bent, globe_signals(bandwidth=8), nn.Conv2d(1, 1, 3, padding=1), turns=3)
    widget.turn(SO3.from_zyz(0.3, 1.0, -0.7))
    ours, plain = widget.budgets()
    assert float(ours.total) == pytest.approx(widget.error(), abs=1e-9)
    assert float(ours.grid) > 0.5 * widget.error() > 1e-3
    assert plain.shares().tolist() == [0, 0, float(plain.total)]
    assert float(plain.total) > 0.05
    question = {"signal": 0, "rotation": widget.rotation, "channel": 0, "budget": True}
    reply, parts = widget.ask(question, [])
    assert parts == []
    assert reply["shares"][0] == pytest.approx(ours.shares().tolist(), abs=1e-6)
    views = widget._spec["views"]
    assert views[0]["shares"] is None  # the kernel is asked: it is one more pass
    for errors, shares in zip(views[1]["errors"], views[1]["shares"], strict=True):
        assert [sum(one) for one in shares] == pytest.approx(errors, abs=1e-6)


def test_the_budget_of_healpix_maps() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(HealpixToSphere(1, 4, 4), S2Conv(1, 1, 4, 4))
    widget = RotateSphere(model, torch.rand(1, 1, 192), turns=0)
    widget.turn(SO3.from_zyz(0.3, 1.0, -0.7))
    resampling = widget.engine._resampling(0, SO3.from_zyz(0.3, 1.0, -0.7))
    assert 0 <= resampling < 1e-6  # pixels hold the lowest degrees to rounding
    (budget,) = widget.budgets()
    assert float(budget.interpolation) == pytest.approx(min(resampling, widget.error()), abs=1e-9)
