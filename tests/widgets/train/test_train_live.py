"""TrainLive: it trains as `fit` does, what is seen, how it is held, and what goes wrong."""

from __future__ import annotations

import base64
import json
import math
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from equivlab.data import digit_images
from equivlab.fields import rotate_maps
from equivlab.groups import P4, P6
from equivlab.models import P4CNN
from equivlab.nn import GroupPool, LiftingConv2d
from equivlab.training import accuracy, fit
from equivlab.widgets import TrainLive
from equivlab.widgets.train.recording import Budget, paired

COUNT, BATCH = 40, 8  # four steps an epoch of the 32 that are learned from


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    x, y = digit_images(12)
    return x[:COUNT], y[:COUNT]


def network(dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    lift = LiftingConv2d(P4, 1, 3, 3)
    layers = [lift, nn.ReLU(), GroupPool(P4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(3, 10))


def of(digits: tuple[Tensor, Tensor], model: Any = None, **options: Any) -> TrainLive:
    options = {"epochs": 2, "batch_size": BATCH, "every": 3} | options
    return TrainLive(model or network(), digits, **options)


def test_it_trains_as_fit_does(digits: tuple[Tensor, Tensor]) -> None:
    """The same weights to the last bit, with dropout and augmentation, though it looks."""

    def augment(x: Tensor, generator: torch.Generator) -> Tensor:
        return x + 0.1 * torch.rand(x.shape, generator=generator)

    model, straight = network(0.5), network(0.5)
    live = of(digits, model, augment=augment, lr=0.01)
    live.step().step()
    live.train()
    sets = live._run.sets
    how: dict[str, Any] = {"epochs": 2, "batch_size": BATCH, "lr": 0.01, "augment": augment}
    losses = fit(straight, sets.images, sets.labels, progress=False, **how)
    assert live.losses == losses
    for mine, theirs in zip(model.parameters(), straight.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert (live.phase, model.training) == ("done", False)


def test_what_is_seen_is_what_the_network_knows(digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits
    test = (x[:9], y[:9])
    live = of(digits, test=test, picture=2, angles_deg=(90, 180))
    live.train()
    assert [one.step for one in live.seen] == [0, 3, 6, 9, 10]
    last = live.seen[-1]
    turned = torch.stack(
        [rotate_maps(x[n : n + 1], math.pi / 2 * (1 + n % 2))[0] for n in range(9)]
    )
    assert last.upright == accuracy(live.model, *test)
    assert last.turned == accuracy(live.model, turned, y[:9])
    assert last.turned == last.upright  # quarter turns: the law of P4
    filters, maps = live._run.looker.split(last.look.levels)
    lift: Any = next(live.model.children())
    with torch.no_grad():
        wanted = lift(x[2:3])[0]
    assert maps.shape == wanted.shape == (3, 4, 10, 10)
    torch.testing.assert_close((maps.float() - 128) / 127 * last.look.limits[1], wanted,
                               rtol=0, atol=last.look.limits[1] / 250)  # fmt: skip
    shown = (filters.float() - 128) / 127 * last.look.limits[0]
    torch.testing.assert_close(shown, lift.filter_bank()[0][::4, 0].detach(),
                               rtol=0, atol=last.look.limits[0] / 250)  # fmt: skip
    ends = [step for step, _ in live._losses]
    assert ends == [3, 6, 9, 10]
    weights = [3, 3, 3, 1]
    mean = sum(w * loss for w, (_, loss) in zip(weights, live._losses, strict=True)) / 10
    assert mean == pytest.approx(sum(live.losses) / 2, rel=1e-5)
    json.dumps([live._losses, live._records, live._spec], allow_nan=False)
    assert len(live._looks) == 5 * len(live._latest)


def test_held_out_images_are_not_learned_from(digits: tuple[Tensor, Tensor]) -> None:
    sets = of(digits)._run.sets
    assert (len(sets.images), len(sets.test)) == (32, 8)
    rows = {tuple(image.flatten().tolist()) for image in (*sets.images, *sets.test)}
    assert len(rows) == COUNT
    assert torch.equal(of(digits, seed=1)._run.sets.test, sets.test) is False


def test_it_rests_takes_steps_and_ends(digits: tuple[Tensor, Tensor]) -> None:
    live = of(digits)
    assert live.phase == "ready"
    phases = waiting_for(live)
    live.step()
    phases("paused")
    assert live.seen[-1].step == 1

    command: Any = live.ask  # what the page calls

    def ask(what: str) -> Any:
        return command({"do": what, "number": 1}, [])[0]

    assert ask("tell")["phase"] == "paused"
    ask("step")
    phases("paused", step=2)
    ask("stop")
    live.wait()
    assert (live.phase, live.seen[-1].step, live.losses) == ("stopped", 2, [])
    for again in (live.start, live.train):
        with pytest.raises(RuntimeError, match=r"has ended \(stopped\).*make a new one"):
            again()
    assert "has ended" in ask("train")["problem"]
    assert of(digits).stop().phase == "stopped"  # never begun


def waiting_for(live: TrainLive) -> Callable[..., None]:
    """Waits until a widget is in a phase, after so many steps."""
    changed = threading.Condition()

    def heard(_: Any) -> None:
        with changed:
            changed.notify_all()

    live.observe(heard, ["phase", "_records"])

    def wait(phase: str, step: int = 1) -> None:
        with changed:
            there = lambda: live.phase == phase and live.seen[-1].step >= step  # noqa: E731
            assert changed.wait_for(there, timeout=60)

    return wait


class Held(nn.Module):
    """A network that waits in each step of training to be let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(144, 10)
        self.here, self.go = threading.Event(), threading.Event()

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.here.set()
            assert self.go.wait(60)
        y: Tensor = self.inner(x.flatten(1))
        return y


def test_one_trains_at_a_time(digits: tuple[Tensor, Tensor]) -> None:
    held = Held()
    first = of(digits, held).start()
    assert held.here.wait(60)
    second = of(digits).start()
    assert second.phase == "ready"  # the other is in the midst of a step
    held.go.set()
    second.wait()
    assert (first.phase, second.phase) == ("paused", "done")
    assert first.problem == "another TrainLive trains now"
    assert first.train().phase == "done"


def test_an_interrupt_pauses(
    digits: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held()
    live = of(digits, held).start()
    phases = waiting_for(live)

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(live._run.thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        live.wait()
    monkeypatch.undo()
    held.go.set()
    phases("paused")
    assert live.problem == "interrupted; start() or Go on goes on"
    assert live.train().phase == "done"


def test_a_loss_that_is_lost_is_told(digits: tuple[Tensor, Tensor]) -> None:
    live = of(digits, lr=math.inf)
    with pytest.raises(FloatingPointError, match=r"The loss is nan after \d steps.*smaller lr"):
        live.train()
    assert live.phase == "failed"
    assert live.problem.startswith("FloatingPointError: The loss is nan")
    assert all(math.isfinite(loss) for _, loss in live._losses)
    json.dumps(live._records, allow_nan=False)
    assert base64.b64decode(live.still()).startswith(b"\x89PNG")


def test_the_recording_keeps_to_a_size(
    digits: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equivlab.widgets.train.run.MOST_RECORDS", 6)
    monkeypatch.setattr("equivlab.widgets.train.recording.MOST_LOSSES", 6)
    live = of(digits, epochs=5, every=1)
    live.train()
    steps = [one.step for one in live.seen]
    assert (steps[0], steps[-1]) == (0, 20)
    assert len(steps) <= 6
    assert live._kept == steps
    assert live._losses[-1][0] == 20
    assert len(live._losses) <= 6
    before = [0, *(step for step, _ in live._losses)]
    sums = sum(
        (b - a) * v for a, b, (_, v) in zip(before[:-1], before[1:], live._losses, strict=True)
    )
    assert sums / 20 == pytest.approx(sum(live.losses) / 5, rel=1e-5)


def test_pairs_of_means_are_means() -> None:
    assert paired([[2, 1.0], [4, 3.0]]) == [[4, 2.0]]
    assert paired([[1, 9.0], [2, 1.0], [5, 2.0]]) == [[1, 9.0], [5, 1.75]]


def test_looks_take_a_share_of_the_time_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock of its own: looks of a second, steps of a tenth; never more than 4 %."""
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    budget = Budget()
    budget.took(1.0)
    budget.spent = 0.0
    budget.go()
    looks = 0
    for _ in range(1005):
        clock[0] += 0.1
        budget.come()
        if budget.allows:
            clock[0] += 1.0
            budget.took(1.0)
            looks += 1
        clock[0] += 5.0 if looks == 1 else 0.0  # a rest
        budget.go()
        assert budget.spent <= 0.04 * budget.trained + 1e-9
    assert budget.trained == pytest.approx(100.5)
    assert looks == 4


def test_networks_of_other_kinds(digits: tuple[Tensor, Tensor]) -> None:
    linear = of(digits, nn.Sequential(nn.Flatten(), nn.Linear(144, 10)).double())
    assert linear._spec["filters"] == [8, 12, 12]  # the weights are pictures
    assert linear._spec["maps"][0] == 0
    assert linear.train().phase == "done"
    plain = nn.Sequential(nn.Conv2d(1, 9, 3), nn.BatchNorm2d(9), nn.Flatten(), nn.Linear(900, 10))
    seen = of(digits, plain, layer="1")
    assert (seen._spec["filters"], seen._spec["maps"]) == ([8, 3, 3], [8, 1, 10, 10])
    assert seen._spec["role"] == ("plain", 0)
    nothing = of(digits, nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 10)))
    assert nothing._spec["filters"][0] == nothing._spec["maps"][0] == 0
    assert base64.b64decode(nothing.still()).startswith(b"\x89PNG")


def test_a_killed_run_goes_on(digits: tuple[Tensor, Tensor], tmp_path: Any) -> None:
    path = tmp_path / "run.safetensors"
    straight = network()
    of(digits, straight, epochs=3).train()
    first = of(digits, epochs=3, checkpoint=path)
    first.observe(lambda change: first.stop() if change["new"][-1][0] >= 6 else None, "_records")
    first.train()
    assert first.phase == "stopped"
    second = network()
    of(digits, second, epochs=3, checkpoint=path).train()
    for mine, theirs in zip(second.parameters(), straight.parameters(), strict=True):
        assert torch.equal(mine, theirs)


X, Y = torch.zeros(20, 1, 12, 12), torch.zeros(20, dtype=torch.long)


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "words"),
    [
        ((P4CNN, (X, Y)), {}, TypeError, "takes a network.*got function"),
        ((nn.Flatten(), (X, Y)), {}, ValueError, "no parameters that learn.*unfreeze"),
        ((P4CNN(P6), (X, Y)), {}, ValueError, "square images, and P6 acts on hexagons"),
        ((network(), X), {}, TypeError, r"data as a pair \(images, labels\); got Tensor"),
        ((network(), (X[:0], Y[:0])), {}, ValueError, "one image or more as data; got none"),
        ((network(), (X[:4], Y[:4])), {}, ValueError, "got 4 images. Give five or more, or test"),
        ((network(), (X, Y[:3])), {}, ValueError, "one for each of the 20 images"),
        ((network(), (X * math.nan, Y)), {}, ValueError, "finite numbers"),
        ((network(), (X, Y), (X[:, :, :8, :8], Y)), {}, ValueError, r"got \(1, 8, 8\)"),
        ((network(), (X, Y)), {"picture": 4}, ValueError, "picture is 0 to 3"),
        ((network(), (X, Y)), {"layer": "nine"}, ValueError, "no layer 'nine'"),
        ((network(), (X, Y)), {"layer": "6"}, ValueError, r"layer '6' gives \(1, 10\)"),
        ((network(), (X, Y)), {"every": 0}, ValueError, "every of 1 or more; got 0"),
        ((network(), (X, Y)), {"epochs": 0}, ValueError, "epochs of 1 or more; got 0"),
        ((network(), (X, Y)), {"angles_deg": ()}, ValueError, "one angle or more"),
        ((network().to("meta"), (X, Y)), {}, ValueError, "meta device"),
    ],
)
def test_bad_input(
    arguments: tuple[Any, ...], options: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        TrainLive(*arguments, **options)


def test_the_notebooks_picture_is_of_the_end(
    digits: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, data: dict[str, str], **_: Any) -> None:
            shown.append(data["image/png"])

    def display(data: dict[str, str], **_: Any) -> Handle:
        shown.append(data["image/png"])
        return Handle()

    monkeypatch.setattr("equivlab.widgets.train.train_live.display", display)
    live = of(digits)
    live._ipython_display_()
    live.train()
    assert len(shown) == 2
    assert shown[0] != shown[1] == live.still()
