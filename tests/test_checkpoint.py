"""Weights on disk: a round trip to the bit, and every way in which a file can be wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from equivlab.groups import P4, P4M
from equivlab.models import P4CNN, Z2CNN
from equivlab.nn import LiftingConv2d
from equivlab.transfer import load, save


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return P4CNN()


def untouched(model: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def copied(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_round_trip(model: nn.Module, tmp_path: Path) -> None:
    path = save(model, tmp_path / "new" / "weights.safetensors")
    torch.manual_seed(1)
    other = load(P4CNN(), path)
    x = torch.randn(2, 1, 28, 28)
    assert untouched(other, copied(model))
    assert torch.equal(model.eval()(x), other.eval()(x))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_weights_that_share_memory_are_kept(tmp_path: Path) -> None:
    twice = nn.Sequential(LiftingConv2d(P4, 1, 2, 3))
    twice.append(twice[0])
    other = nn.Sequential(LiftingConv2d(P4, 1, 2, 3), LiftingConv2d(P4, 1, 2, 3))
    load(other, save(twice, tmp_path / "w"))
    assert torch.equal(other[0].weight, other[1].weight)


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 100, 5000, -1])
def test_cut_short(model: nn.Module, tmp_path: Path, keep: int) -> None:
    path = save(model, tmp_path / "w.safetensors")
    path.write_bytes(path.read_bytes()[:keep])
    before = copied(model)
    with pytest.raises(ValueError, match=r"cut short.*Copy or download it again"):
        load(model, path)
    assert untouched(model, before)


@pytest.mark.parametrize("new_format", [True, False])
def test_a_pickle_is_never_opened(model: nn.Module, tmp_path: Path, new_format: bool) -> None:
    path = tmp_path / "w.pt"
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(ValueError, match=r"is a pickle.*weights_only=True"):
        load(model, path)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + 100 * b"x", b"a,b\n1,2\n3,4\n5,6\n"])
def test_a_foreign_file(model: nn.Module, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is no safetensors file. Write weights with save"):
        load(model, path)


def test_no_file(model: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no weights file .*Write one: save\(model, path\)"
    ):
        load(model, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda: P4CNN(P4M), "has features.0.weight"),
        (lambda: P4CNN(channels=8), r"\(8, 1, 3, 3\) instead of \(10, 1, 3, 3\)"),
        (lambda: Z2CNN(), "lacks|has"),
        (lambda: nn.Linear(3, 4), "also has bias"),
    ],
)
def test_weights_of_another_model(
    model: nn.Module, tmp_path: Path, other: type[nn.Module], words: str
) -> None:
    path = save(other(), tmp_path / "other")
    before = copied(model)
    with pytest.raises(ValueError, match=f"another model: it .*({words})"):
        load(model, path)
    assert untouched(model, before)


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_keeps_the_older_file(
    model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = save(model, tmp_path / "w")
    content = path.read_bytes()
    with torch.no_grad():
        next(model.parameters()).zero_()
    monkeypatch.setattr(os, step, full_disk)
    with pytest.raises(OSError, match=r"No space left.*untouched. Free some space") as caught:
        save(model, path)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["w"]


def test_a_folder_that_is_a_file(model: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OSError, match=r"Could not write .* give another path"):
        save(model, tmp_path / "taken" / "w")
