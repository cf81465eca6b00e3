"""Training: it learns, it resumes to the bit, and it says what is wrong."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from equivlab.data import digit_images
from equivlab.data.sets import InUseError, locked
from equivlab.fields import rotate_maps
from equivlab.training import Progress, accuracy, accuracy_vs_angle, fit, predict
from tests.training.small import network, turned


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    images, labels = digit_images(20)
    return images[:400], labels[:400]


def weights(model: nn.Module) -> list[Tensor]:
    return [value.clone() for value in model.state_dict().values()]


def test_it_learns(digits: tuple[Tensor, Tensor]) -> None:
    model = network()
    losses = fit(model, *digits, epochs=15, lr=0.02, batch_size=40, progress=False)
    assert len(losses) == 15
    assert losses[-1] < 0.7 * losses[0]
    assert accuracy(model, *digits) > 0.5
    assert not model.training


def test_the_seed_decides_everything(digits: tuple[Tensor, Tensor]) -> None:
    runs = []
    for seed, disturbance in ((0, 1), (0, 2), (1, 1)):
        model = network()
        torch.manual_seed(disturbance)
        fit(model, *digits, epochs=2, seed=seed, augment=turned, progress=False)
        runs.append(weights(model))
    assert all(map(torch.equal, runs[0], runs[1]))
    assert not all(map(torch.equal, runs[0], runs[2]))


def test_who_watches_is_told_of_each_step_and_may_end_the_run(
    digits: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    steps: list[Progress] = []
    model, straight = network(), network()
    losses = fit(model, *digits, epochs=2, progress=False, watch=steps.append)
    assert fit(straight, *digits, epochs=2, progress=False) == losses
    assert all(map(torch.equal, weights(model), weights(straight)))
    assert [(at.epoch, at.step, at.taken) for at in steps] == [
        (0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 0, 4), (1, 1, 5), (1, 2, 6),
    ]  # fmt: skip
    assert {(at.steps, at.epochs) for at in steps} == {(3, 2)}
    means = torch.stack([at.loss for at in steps]).view(2, 3).mean(1)
    torch.testing.assert_close(means, torch.tensor(losses))
    path = tmp_path / "run.safetensors"
    ended = network()
    how = {"epochs": 2, "progress": False, "checkpoint": path}
    assert fit(ended, *digits, **how, watch=lambda at: at.taken == 5) == losses[:1]
    assert not ended.training
    assert fit(ended, *digits, **how) == losses  # from the last whole epoch
    assert all(map(torch.equal, weights(ended), weights(straight)))


def test_a_checkpoint_has_one_writer(digits: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    def begin(name: str) -> list[float]:
        return fit(network(), *digits, epochs=1, checkpoint=tmp_path / name, progress=False)

    with locked(tmp_path, "a.safetensors"):
        with pytest.raises(InUseError, match=r"a\.safetensors is being written by process"):
            begin("a.safetensors")
        begin("b.safetensors")  # the folder is not locked
    for name in ("a", "b"):  # as a kill leaves them
        (tmp_path / f".{name}.safetensors-00.part").touch()
    begin("a.safetensors")
    (tmp_path / ".b.safetensors-00.part").unlink()  # not of this checkpoint
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]


def test_the_global_random_state_is_left_alone(digits: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    model = network()
    torch.manual_seed(5)
    fit(model, *digits, epochs=1, progress=False)
    assert torch.equal(torch.rand(3), wanted)


def test_resuming_ends_in_the_same_weights(
    digits: tuple[Tensor, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = network()
    wanted = fit(straight, *digits, epochs=4, augment=turned, progress=False)

    broken, path, calls = network(), tmp_path / "run.safetensors", 0

    def cut_off(x: Tensor, generator: torch.Generator) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 8:  # in the third epoch of three batches
            raise KeyboardInterrupt
        return turned(x, generator)

    with pytest.raises(KeyboardInterrupt):
        fit(broken, *digits, epochs=4, augment=cut_off, checkpoint=path, progress=False)
    resumed = network()
    losses = fit(resumed, *digits, epochs=4, augment=turned, checkpoint=path, progress=False)
    assert losses == wanted
    assert all(map(torch.equal, weights(straight), weights(resumed)))
    again = network()
    assert fit(again, *digits, epochs=4, checkpoint=path, progress=False) == wanted
    assert all(map(torch.equal, weights(straight), weights(again)))


def test_a_compiled_network_goes_on_and_so_does_the_one_inside(
    digits: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "run.safetensors"
    compiled = torch.compile(network(), backend="eager")
    wanted = fit(compiled, *digits, epochs=1, checkpoint=path, progress=False)
    for again in (torch.compile(network(), backend="eager"), network()):
        assert fit(again, *digits, epochs=1, checkpoint=path, progress=False) == wanted
        assert all(map(torch.equal, weights(compiled), weights(again)))


def test_numbers_of_numpy_make_the_same_run(digits: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    numbers = {"epochs": 1, "batch_size": 200, "seed": 2}
    wanted = fit(network(), *digits, **numbers, lr=1e-3, checkpoint=path, progress=False)
    numpys = {name: np.int64(number) for name, number in numbers.items()}
    for where in (path, None):
        found = fit(
            network(), *digits, **numpys, lr=np.float64(1e-3), checkpoint=where, progress=False
        )
        assert found == wanted


KILLED = """
import os, signal, torch
from tests.training.small import network, turned
from equivlab.data import digit_images
from equivlab.data.sets import InUseError, locked
from equivlab.training import fit
images, labels = digit_images(20)
seen = 0
def kill(x, generator):
    global seen
    seen += 1
    if seen == 8:
        os.kill(os.getpid(), signal.SIGKILL)
    return turned(x, generator)
torch.set_num_threads(1)
fit(network(), images[:400], labels[:400], epochs=4, augment=kill,
    checkpoint={path!r}, progress=False)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_process_is_taken_up(digits: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    root = str(Path(__file__).resolve().parent.parent.parent)
    done = subprocess.run([sys.executable, "-c", KILLED.format(path=str(path))], cwd=root)
    assert done.returncode == -signal.SIGKILL
    straight, resumed = network(), network()
    wanted = fit(straight, *digits, epochs=4, augment=turned, progress=False)
    losses = fit(resumed, *digits, epochs=4, augment=turned, checkpoint=path, progress=False)
    assert losses == wanted
    assert all(map(torch.equal, weights(straight), weights(resumed)))


def test_a_checkpoint_of_another_run_is_refused(
    digits: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "run.safetensors"
    fit(network(), *digits, epochs=1, checkpoint=path, progress=False)
    with pytest.raises(ValueError, match=r"another run: .*seed=0.*Give another checkpoint"):
        fit(network(), *digits, epochs=1, seed=3, checkpoint=path, progress=False)
    with pytest.raises(ValueError, match="another run"):
        fit(nn.Linear(2, 2), *digits, epochs=1, checkpoint=path, progress=False)


def test_no_images_or_labels() -> None:
    with pytest.raises(ValueError, match="got 0 images and 0 labels"):
        fit(network(), torch.zeros(0, 1, 20, 20), torch.zeros(0).long(), epochs=1)
    with pytest.raises(ValueError, match="got 3 images and 2 labels"):
        fit(network(), torch.zeros(3, 1, 20, 20), torch.zeros(2).long(), epochs=1)


def test_a_step_is_recorded_on_a_gpu_only(digits: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match=r"got a model on cpu. Move it, model.cuda\(\), or leave"):
        fit(network(), *digits, epochs=1, capture=True)


def test_nan_stops_at_once(digits: tuple[Tensor, Tensor]) -> None:
    images = digits[0].clone()
    images[3] = torch.nan
    with pytest.raises(FloatingPointError, match=r"epoch 1 is nan. Look for NaN in the images"):
        fit(network(), images, digits[1], epochs=2, progress=False)


def test_predict_leaves_the_mode(digits: tuple[Tensor, Tensor]) -> None:
    model = network().train()
    scores = predict(model, digits[0], batch_size=150)
    assert model.training
    assert torch.allclose(scores, model.eval()(digits[0]), atol=1e-5)
    assert not scores.requires_grad


def test_accuracy_against_the_angle(digits: tuple[Tensor, Tensor]) -> None:
    model = network()
    fit(model, *digits, epochs=4, lr=0.02, batch_size=40, progress=False)
    quarters = accuracy_vs_angle(model, *digits, [0.0, math.pi / 2, math.pi])
    assert quarters == pytest.approx([quarters[0]] * 3, abs=0.006)
    turned = rotate_maps(digits[0], 0.3, "fourier"), digits[1]
    assert accuracy_vs_angle(model, *digits, [0.3], "fourier") == [accuracy(model, *turned)]
