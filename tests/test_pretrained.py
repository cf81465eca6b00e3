"""Cards travel with weights; the package's own weights are checked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from equivlab import pretrained
from equivlab.checkpoint import save
from equivlab.groups import P4
from equivlab.models.resnet import ResNet18
from equivlab.pretrained import (
    ModelCard,
    load_pretrained,
    pretrained_names,
    read_card,
    save_pretrained,
)

CARD = ModelCard(
    "ResNet18", {"group": "P4", "width": 4}, "noise, seed 0", "none", {"macro AUC": 0.5}
)


def test_a_card_travels_with_its_weights(tmp_path: Path) -> None:
    model = ResNet18(P4, width=4).eval()
    path = save_pretrained(model, tmp_path / "noise.safetensors", CARD)
    assert read_card(path) == CARD
    found, card = load_pretrained(path)
    assert card == CARD
    assert not found.training
    x = torch.randn(1, 1, 33, 33)
    with torch.no_grad():
        assert torch.equal(found(x), model(x))


def test_the_registry_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights").mkdir()
    path = tmp_path / "weights" / "noise.safetensors"
    save_pretrained(ResNet18(P4, width=4), path, CARD)
    registry = {"noise": hashlib.sha256(path.read_bytes()).hexdigest()}
    (tmp_path / "weights" / "registry.json").write_text(json.dumps(registry))
    monkeypatch.setattr(pretrained, "files", lambda package: tmp_path)
    assert pretrained_names() == ["noise"]
    assert load_pretrained("noise")[1] == CARD
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="was altered: its checksum differs"):
        load_pretrained("noise")
    with pytest.raises(FileNotFoundError, match=r"one of the package's own \(noise\)"):
        load_pretrained("silence")


def test_every_shipped_network_loads() -> None:
    for name in pretrained_names():
        model, card = load_pretrained(name)
        assert card.metrics
        with torch.no_grad():
            assert (
                model(torch.randn(1, card.settings.get("in_channels", 1), 64, 64)).isfinite().all()
            )


def test_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="which is not this ResNet18"):
        save_pretrained(ResNet18(P4, width=8), tmp_path / "x.safetensors", CARD)
    bare = save(ResNet18(P4, width=4), tmp_path / "bare.safetensors")
    with pytest.raises(ValueError, match="has no model card"):
        load_pretrained(bare)
    with pytest.raises(ValueError, match="the card says 'VGG'"):
        ModelCard("VGG", {}, "", "").build()
