"""AccuracyVsAngle: what is computed, sent and said, and its exported page in Chromium."""

from __future__ import annotations

import base64
import json
import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from equivlab.data import digit_images
from equivlab.fields import HexMaps, rotate_maps
from equivlab.groups import P6, P6M
from equivlab.models import P4CNN
from equivlab.nn import S2Conv
from equivlab.projection import to_hexagons
from equivlab.training import accuracy_vs_angle, predict
from equivlab.widgets import AccuracyVsAngle
from tests.widgets.chromium import in_browser
from tests.widgets.turning_page import TurningPage

STEPS = 8
SOURCE = """
import torch
from torch import nn
from equivlab.data import digit_images
from equivlab.models import P4CNN
from equivlab.widgets import AccuracyVsAngle
torch.manual_seed(0)
x, y = digit_images()
plain = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
AccuracyVsAngle(
    {"P4CNN": P4CNN(), "linear": plain}, x[:14], y[:14], shown=7, steps=24, mirrored=True,
    progress=False,
)
"""
CANVAS = ".equivlab-accuracy > canvas"


def plain() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    x, y = digit_images()
    return x[:30], y[:30]


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return {"P4CNN": P4CNN(), "linear": plain()}


@pytest.fixture(scope="module")
def widget(networks: dict[str, nn.Module], digits: tuple[Tensor, Tensor]) -> AccuracyVsAngle:
    return AccuracyVsAngle(networks, *digits, shown=5, steps=STEPS, mirrored=True, progress=False)


def test_curves_are_the_accuracies_at_each_angle(
    widget: AccuracyVsAngle, networks: dict[str, nn.Module], digits: tuple[Tensor, Tensor]
) -> None:
    x, y = digits
    angles = [2 * math.pi * step / STEPS for step in range(STEPS)]
    for name, network in networks.items():
        for images, curve in zip((x, x.flip(-1)), widget.curves[name], strict=True):
            assert curve.tolist() == accuracy_vs_angle(network, images, y, angles)


def test_p4_is_as_good_at_quarter_turns(widget: AccuracyVsAngle) -> None:
    quarters = widget.curves["P4CNN"][:, :: STEPS // 4]
    assert bool((quarters == quarters[:, :1]).all())
    assert not bool((widget.curves["linear"] == widget.curves["linear"][:, :1]).all())


def test_hexagons_turn_as_hexagons(digits: tuple[Tensor, Tensor]) -> None:
    """Every sixth of a turn moves cells, so a network on them answers as before; mirrors too."""
    x, y = to_hexagons(digits[0][:6], 14), digits[1][:6]
    torch.manual_seed(0)
    networks = {
        "P6M": P4CNN(P6M, width=2),
        "plain": nn.Sequential(nn.Flatten(), nn.Linear(841, 10)),
    }
    widget = AccuracyVsAngle(networks, x, y, shown=2, steps=24, mirrored=True, progress=False)
    curve = widget.curves["P6M"]
    assert bool((curve[:, ::4] == curve[0, 0]).all())
    assert widget.roles[0][0] == "equivariant"
    mirrored = HexMaps(P6M, 1).act(7, x)  # the mirror, then a turn by 60°
    right = networks["plain"](mirrored).argmax(1) == y
    assert float(widget.curves["plain"][1, 4]) == float(right.double().mean())
    with pytest.raises(ValueError, match="On hexagons mode is one of bilinear, nearest"):
        AccuracyVsAngle(networks, x, y, mode="fourier", steps=24, progress=False)


def test_what_is_sent_is_what_the_page_reads(
    widget: AccuracyVsAngle, networks: dict[str, nn.Module], digits: tuple[Tensor, Tensor]
) -> None:
    spec = widget._spec
    taken = np.frombuffer(widget._taken, np.uint8).reshape(2, 2, STEPS, 5)
    turned = rotate_maps(digits[0][:5].flip(-1), 2 * math.pi * 3 / STEPS)
    for k, network in enumerate(networks.values()):
        assert taken[k, 1, 3].tolist() == predict(network, turned).argmax(1).tolist()
    assert spec["labels"] == digits[1][:5].tolist()
    assert len(widget._pictures) == 5 * spec["picture"] ** 2 * 3
    assert len(spec["classes"]) == 10
    json.dumps(spec, allow_nan=False)


def test_accuracies_follow_the_handle(widget: AccuracyVsAngle) -> None:
    widget.angle_deg, widget.mirror = 135.0, True
    assert widget.accuracies() == {n: float(c[1, 3]) for n, c in widget.curves.items()}
    widget.angle_deg, widget.mirror = 0.0, False
    assert widget.accuracies() == {n: float(c[0, 0]) for n, c in widget.curves.items()}


def test_mime_bundle_and_repr(widget: AccuracyVsAngle) -> None:
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == "AccuracyVsAngle('P4CNN', 'linear'; 30 images, 8 angles)"
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


def test_networks_are_left_as_they_were(digits: tuple[Tensor, Tensor]) -> None:
    network = P4CNN().double().train()
    AccuracyVsAngle({"one": network}, *digits, steps=4, progress=False)
    assert network.training
    assert {p.dtype for p in network.parameters()} == {torch.float64}


class Lost(nn.Module):
    """A network whose training has failed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(math.nan))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight.expand(len(x), 10)


X, Y = torch.zeros(3, 1, 28, 28), torch.tensor([0, 1, 2])


@pytest.mark.parametrize("labels", [Y[:, None], Y.float(), Y.to(torch.uint8)[:, None]])
def test_labels_as_a_column_or_of_another_dtype(labels: Tensor) -> None:
    torch.manual_seed(0)
    networks = {"a": plain()}
    wanted = AccuracyVsAngle(networks, X, Y, steps=4, progress=False)
    widget = AccuracyVsAngle(networks, X, labels, steps=4, progress=False)
    assert widget._spec["labels"] == [0, 1, 2]
    assert widget.curves["a"].tolist() == wanted.curves["a"].tolist()


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "words"),
    [
        ((plain(), X, Y), {}, TypeError, r"networks by name.*got Sequential"),
        (({}, X, Y), {}, ValueError, "compares 1 to 4; got 0"),
        (({str(k): plain() for k in range(5)}, X, Y), {}, ValueError, "got 5"),
        (({"a": plain()}, torch.zeros(3, 8, 9), Y), {}, ValueError, "AccuracyVsAngle takes square"),
        (({"a": plain()}, X, [0, 1, 2]), {}, TypeError, r"got list.*torch\.as_tensor"),
        (({"a": P4CNN(P6)}, X, Y), {}, ValueError, "P6M acts on hexagons.*to_hexagons"),
        (
            ({"a": P4CNN(P6), "b": P4CNN()}, X, Y),
            {},
            ValueError,
            r"the same images; 'a' takes hexagons \(P6\) and 'b' square pixels \(P4\)",
        ),
        (({"a": S2Conv(1, 1, 8, 8)}, X, Y), {}, ValueError, "SO3 acts on something else"),
        (({"a": plain()}, X, Y[:2]), {}, ValueError, r"each of the 3 images; got \(2,\)"),
        (({"a": plain()}, X, Y + 0.5), {}, ValueError, r"numbers of classes.*got 0\.5"),
        (({"a": plain()}, X, Y - 1), {}, ValueError, "0 to 255; got -1"),
        (({"a": plain()}, X, Y + 254), {}, ValueError, "0 to 255; got 256"),
        (({"a": plain()}, X, nn.functional.one_hot(Y)), {}, ValueError, r"by labels\.argmax\(1\)"),
        (({"a": plain()}, X, Y + 9), {}, ValueError, "a tells 10 classes apart; .* go up to 11"),
        (({"a": nn.Conv2d(1, 2, 3)}, X, Y), {}, ValueError, r"a must give scores \(B, K\)"),
        (({"a": Lost()}, X, Y), {}, ValueError, "a gives scores that are NaN"),
        (({"a": plain()}, X, Y), {"classes": ["x"]}, ValueError, "10 classes apart; got 1 names"),
        (({"a": plain()}, X, Y), {"steps": 7}, ValueError, "divides 360.*got 7"),
        (({"a": plain()}, X, Y), {"shown": 0}, ValueError, "1 to 24 images; got 0"),
    ],
)
def test_bad_input(
    arguments: tuple[Any, ...], options: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        AccuracyVsAngle(*arguments, **{"steps": 4, "progress": False, **options})


class Held(nn.Module):
    """A network that waits to be let go after its first `free` calls."""

    def __init__(self, free: int) -> None:
        super().__init__()
        self.free, self.calls, self.go = free, 0, threading.Event()
        self.waits = threading.Event()

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls > self.free:
            self.waits.set()
            self.go.wait()
        return x.flatten(1)[:, :10]


def test_the_page_fills_in_while_the_networks_run(digits: tuple[Tensor, Tensor]) -> None:
    network = Held(free=3)
    widget = AccuracyVsAngle({"one": network}, *digits, steps=8, progress="page")
    network.waits.wait()
    assert widget.running
    known = [angle for angle, value in enumerate(widget._accuracy[0]) if value is not None]
    assert known == [0, 2, 4]  # in eights, then in halves of them
    assert bool(widget.curves["one"][0, 1].isnan())
    assert base64.b64decode(widget.still()).startswith(b"\x89PNG")
    json.dumps(widget._accuracy, allow_nan=False)
    network.go.set()
    widget.wait()
    assert not widget.running
    again = AccuracyVsAngle({"one": network}, *digits, steps=8, progress=False)
    assert torch.equal(again.curves["one"], widget.curves["one"])
    assert (again._taken, again._accuracy) == (widget._taken, widget._accuracy)


def test_it_can_be_stopped_and_tells_what_went_wrong(digits: tuple[Tensor, Tensor]) -> None:
    network = Held(free=3)
    widget = AccuracyVsAngle({"one": network}, *digits, steps=8, progress="page")
    network.waits.wait()
    widget.running = False  # what the button does
    network.go.set()
    widget.stop()
    assert sum(value is not None for value in widget._accuracy[0]) == 4
    lost = Held(free=3)
    lost.register_forward_hook(lambda module, given, y: y * math.nan if module.calls > 3 else y)
    failed = AccuracyVsAngle({"one": lost}, *digits, steps=8, progress="page")
    lost.go.set()
    failed.wait()
    assert failed.problem.startswith("ValueError: one gives scores that are NaN")
    with pytest.raises(ValueError, match="progress is True, False or 'page'; got 'bar'"):
        AccuracyVsAngle({"one": network}, *digits, progress="bar")  # type: ignore[arg-type]


# --- in the browser ---------------------------------------------------------------------------


@in_browser
def test_it_turns_offline(opened: Callable[..., TurningPage]) -> None:
    view = opened()
    at_rest = view.look()
    disc = json.loads(view.canvas.get_attribute("data-disc"))
    half = disc["side"] / 2
    view.drag(90, (disc["x"] + half, disc["y"] + half), 0.8 * half)
    assert view.angle == 90
    assert np.abs(view.look() - at_rest).max() > 0.3
    view.press("ArrowRight")
    assert view.angle == 105
    view.press("m")
    assert view.pose == "105°, mirrored"
    view.press("r")
    assert view.pose == "0°"
    view.page.locator(".equivlab-accuracy input[type=range]").fill("180")
    assert view.angle == 180
    box = view.canvas.bounding_box()
    view.page.mouse.click(box["x"] + 56 + (box["width"] - 76) / 4, box["y"] + box["height"] - 70)
    assert view.angle == 90  # a click on the curves
    assert view.save().size[0] > 600


@in_browser
@pytest.mark.parametrize("width", [420, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(opened: Callable[..., TurningPage], width: int, scheme: str) -> None:
    opened(width, theme=scheme).check_edges(width)
