"""The command line: the same training as `fit_lightning`, and how it ends when it is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

pytest.importorskip("lightning")
pytest.importorskip("jsonargparse")

from lightning.pytorch.callbacks import Callback

from equivlab.data import ShardedImages, sqrt_stretch, standardize_each
from equivlab.groups import P4
from equivlab.models.resnet import ResNet18
from equivlab.training import ImageClassifier, Machine, Recipe, fit_lightning, signals
from equivlab.training.commands import main
from equivlab.training.lightning.stopping import Command
from equivlab.weights import load_classifier

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def lenses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lenses")
    for name, count, seed in (("train", 30, 0), ("validate", 12, 1)):
        arguments = ["--count", str(count), "--seed", str(seed), "--pixels", "9"]
        main(["simulate", str(folder / name), *arguments])
    return folder


def command(lenses: Path, run: Path, *more: str, epochs: int = 2) -> list[str]:
    return [
        "train", "--data.train", str(lenses / "train"), "--data.validate",
        str(lenses / "validate"), "--machine.workers", "0", "--model.group", "P4",
        "--model.width", "4", "--model.stem", "small", "--model.recipe.epochs", str(epochs),
        "--model.recipe.batch_size", "10", "--model.recipe.seed", "3", "--folder", str(run),
        "--machine.accelerator", "cpu", "--progress", "false", *more,
    ]  # fmt: skip


def test_it_is_the_same_training(
    lenses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = torch.random.get_rng_state()
    main(command(lenses, tmp_path / "command"))
    assert torch.equal(torch.random.get_rng_state(), before)
    recipe = Recipe(epochs=2, batch_size=10, seed=3)
    torch.manual_seed(3)
    network = ResNet18(P4, 1, 3, 4, stem="small", exact_size=True)
    classifier = ImageClassifier(network, 3, recipe, lambda x: standardize_each(sqrt_stretch(x)))
    sets = (ShardedImages(lenses / name) for name in ("train", "validate"))
    machine = Machine("cpu", 1)
    report = fit_lightning(classifier, *sets, tmp_path / "call", machine=machine, progress=False)
    for name in ("best.ckpt", "last.ckpt"):
        one, other = (
            torch.load(tmp_path / way / name, weights_only=True) for way in ("command", "call")
        )
        assert one["curve"] == other["curve"]
        assert one["state_dict"].keys() == other["state_dict"].keys()
        assert all(torch.equal(v, other["state_dict"][k]) for k, v in one["state_dict"].items())
    said = capsys.readouterr().out
    assert f"Epoch {report.best_epoch + 1} of 2 was the best" in said
    assert str(tmp_path / "command" / "best.ckpt") in said
    taken = load_classifier(tmp_path / "command")  # with its card, and what it says is the same
    assert taken.classes == ("no_sub", "cdm", "axion")
    x = ShardedImages(lenses / "validate").batch(range(4))[0]
    with torch.no_grad():
        assert torch.allclose(taken(x), classifier.eval()(x).softmax(1), atol=1e-6)
    assert (taken.predict(x)["remark"] == "").any()


def test_it_goes_on_with_callbacks_and_keeps_its_settings(lenses: Path, tmp_path: Path) -> None:
    arguments = command(
        lenses, tmp_path / "run", "--machine.sync_norms", "true",
        "--callbacks+=equivlab.training.EqualWeightAveraging", "--callbacks.init_args.start=0.5",
    )  # fmt: skip
    main(arguments)
    last = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert [row["epoch"] for row in last["curve"]] == [0, 1]
    assert int(last["averaging_state"]["n_averaged"]) == 6
    main(arguments)  # nothing is left to do
    again = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert again["curve"] == last["curve"]
    config = str(tmp_path / "run" / "config.yaml")
    main(["train", "--config", config, "--folder", str(tmp_path / "again")])
    other = torch.load(tmp_path / "again" / "last.ckpt", weights_only=True)
    assert all(torch.equal(v, other["state_dict"][k]) for k, v in last["state_dict"].items())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fly"], "invalid choice: 'fly'"),
        (["train"], "required: data.train, data.validate"),
        (["train", "--trainer.devices", "4"], "--trainer. became --machine."),
        (["train", "--data.workers=3"], "--data.workers became --machine.workers"),
    ],
)
def test_wrong_options(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert says in capsys.readouterr().err


def test_a_group_that_there_is_not(
    lenses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command(lenses, tmp_path / "run")
    arguments[arguments.index("P4")] = "P5"
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "P5" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["--help-all", "--print_config"])
def test_help(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", option])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    for name in ("train", "validate", "group", "epochs", "devices", "folder", "swa"):
        assert name in said


def stopped(run: Path, child: BaseProcess | subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal as soon as an epoch is done."""
    while not (run / "last.ckpt").exists():
        assert child.is_alive() if isinstance(child, BaseProcess) else child.poll() is None
        time.sleep(0.01)
    assert child.pid is not None
    os.kill(child.pid, number)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_command_says_so(
    lenses: Path, tmp_path: Path, number: signal.Signals, code: int, devices: int
) -> None:
    run, said = tmp_path / "run", tmp_path / "stderr"
    more = ["--machine.devices", str(devices), "--machine.strategy", "ddp_fork"] * (devices > 1)

    def body() -> None:
        with said.open("w") as sys.stderr:
            main(command(lenses, run, *more, epochs=100_000))

    child = get_context("fork").Process(target=body)
    child.start()
    stopped(run, child, number)
    child.join(60)
    assert child.exitcode == code, said.read_text()
    # The other process of two may still end an epoch, with a note of its own after the line.
    assert "\nstopped; the same command goes on\n" in said.read_text()
    assert said.read_text().count("goes on") == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_a_shell_sees_it(lenses: Path, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "equivlab", *command(lenses, tmp_path / "run", epochs=100_000)],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    stopped(tmp_path / "run", child, signal.SIGTERM)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 143, said
    assert said.endswith("stopped; the same command goes on\n")
    assert "Traceback" not in said


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_a_command_that_does_not_listen_ends_all_the_same(tmp_path: Path) -> None:
    """Whatever catches the exception on its way, as a destructor does."""
    said = tmp_path / "stderr"

    def body() -> None:
        with said.open("w") as sys.stderr:
            signals.PATIENCE = 0.2
            with signals.stopped_by_signals():
                with contextlib.suppress(BaseException):
                    os.kill(os.getpid(), signal.SIGTERM)
                    time.sleep(30)
                time.sleep(30)

    child = get_context("fork").Process(target=body)
    child.start()
    child.join(20)
    assert child.exitcode == 143
    assert said.read_text().endswith("stopped; the same command goes on\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_a_command_that_nobody_reads_ends_all_the_same(tmp_path: Path) -> None:
    def body() -> None:
        signals.PATIENCE = 0.2
        closed = (tmp_path / "stderr").open("w")
        with closed as sys.stderr, contextlib.suppress(SystemExit), signals.stopped_by_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)
        time.sleep(30)  # with a closed stderr

    child = get_context("fork").Process(target=body)
    child.start()
    child.join(20)
    assert child.exitcode == 143


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_no_signal_waits_for_the_other_processes(lenses: Path, tmp_path: Path) -> None:
    """Lightning's handler does, and two processes that wait for one another never end."""
    arguments = command(
        lenses, tmp_path / "run", "--callbacks+=tests.training.lightning.test_cli.Handlers"
    )
    Handlers.seen.clear()
    main(arguments)
    assert Handlers.seen
    assert {handler.__module__ for handler in Handlers.seen} == {Command.__module__}


class Handlers(Callback):
    """Looks up who takes the signals while it trains."""

    seen: ClassVar[list[Any]] = []

    def on_train_batch_start(self, *_: Any) -> None:
        """Both that stop a command."""
        self.seen.extend(signal.getsignal(number) for number in signals.STOPS)
