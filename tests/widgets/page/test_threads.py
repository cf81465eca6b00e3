"""How many threads an answer gets, and that nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from equivlab.data import globe_signals
from equivlab.nn import S2Conv
from equivlab.widgets import RotateSphere, TrainLive
from equivlab.widgets.page import threads as module
from equivlab.widgets.page.threads import TRIES, Threads


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def lent(monkeypatch: pytest.MonkeyPatch, alone: float, together: float) -> list[int]:
    """The numbers of threads of many calls that take so long with one thread and with all."""
    now = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    threads, counts = Threads(), []
    for _ in range(4 * TRIES):
        with threads.lent("one kind"):
            counts.append(torch.get_num_threads())
            now[0] += alone if counts[-1] == 1 else together
        assert torch.get_num_threads() == 3
    return counts


def test_threads_that_gain_little_are_left_to_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = lent(monkeypatch, alone=0.010, together=0.009)
    assert counts[: 1 + 2 * TRIES] == [3, *TRIES * [1, 3]]
    assert set(counts[1 + 2 * TRIES :]) == {1}


def test_threads_that_gain_much_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = lent(monkeypatch, alone=0.3, together=0.15)
    assert set(counts[1 + 2 * TRIES :]) == {3}


def test_what_fails_gives_its_threads_back_and_is_not_timed() -> None:
    threads = Threads()
    with threads.lent("kind"):
        pass
    seen = []

    def fail() -> None:
        with threads.lent("kind"):
            seen.append(torch.get_num_threads())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert seen == [1]
    assert torch.get_num_threads() == 3
    assert [len(spent) for spent in threads.spent.values()] == [1]


def test_a_widget_answers_in_them_and_one_that_trains_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    globe = RotateSphere(S2Conv(1, 1, 4, 4), globe_signals(bandwidth=4))
    question = {"rotation": torch.eye(3).flatten().tolist(), "signal": 0, "channel": 0}
    for _ in range(3):
        assert "problem" not in globe.ask(question, [])[0]
        assert "problem" not in globe.ask({**question, "budget": True}, [])[0]
    assert {kind for kind, _ in globe._threads.spent} == {(), ("budget",)}
    assert "problem" in globe.ask(None, [])[0]
    assert torch.get_num_threads() == 3

    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    live = TrainLive(model, (torch.randn(20, 1, 4, 4), torch.arange(20) % 2), epochs=1)
    live.ask({"do": "tell"}, [])
    assert not live._threads.spent
