"""The group as one argument: every planar network on C_N, D_N, SO(2) and O(2)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from equivlab import audit
from equivlab.equivariance import law_errors
from equivlab.groups import O2, P4, P4M, SO2, Cyclic, Dihedral
from equivlab.models import DigitCNN, ResNet18, UNet
from equivlab.models.parts import Planar
from equivlab.weights import load_pretrained, save_pretrained
from equivlab.weights.pretrained import ModelCard

GROUPS = pytest.mark.parametrize("group", [Cyclic(8), Dihedral(8), Cyclic(5), SO2, O2], ids=str)


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def lively(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """In `eval()`, with the statistics of some images."""
    model.train()
    with torch.no_grad():
        for _ in range(10):
            model(x)
    return model.eval()


@GROUPS
def test_digits(group: Planar) -> None:
    torch.manual_seed(0)
    model = DigitCNN(group, width=2).double()
    x = torch.randn(2, 1, 28, 28, dtype=torch.float64)
    assert max(law_errors(lively(model, x), x, group=group).values()) <= 1e-12
    assert count(DigitCNN(group)) == pytest.approx(25_000, rel=0.05)


@GROUPS
def test_residual(group: Planar) -> None:
    torch.manual_seed(0)
    model = ResNet18(group, width=8).double()
    x = torch.randn(2, 1, 33, 34, dtype=torch.float64)
    assert max(law_errors(lively(model, x), x, group=group).values()) <= 1e-12


def test_as_many_parameters_as_the_plain_network() -> None:
    plain = count(ResNet18(None, width=32))
    for group in (Cyclic(8), Dihedral(8), SO2):
        assert count(ResNet18(group, width=32)) == pytest.approx(plain, rel=0.04)
    with pytest.raises(ValueError, match="equal width wants a point group"):
        ResNet18(SO2, match="width")
    with pytest.raises(ValueError, match="kernel_size must be odd"):
        ResNet18(None, kernel_size=4)


@pytest.mark.parametrize("size", [(16, 16), (13, 13), (14, 17), (9, 9)], ids=str)
@pytest.mark.parametrize("group", [P4, P4M, Cyclic(8), Dihedral(4), SO2, O2], ids=str)
def test_scores_of_each_pixel_turn_with_the_image(group: Planar, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = UNet(group, 2, 3, width=8, levels=3).double()
    x = torch.randn(2, 2, *size, dtype=torch.float64)
    lively(model, x)
    assert model(x).shape == (2, 3, *size)
    assert max(law_errors(model, x, group=group).values()) <= 1e-12
    single, y = model.float(), x.float()
    assert max(law_errors(single, y, group=group).values()) <= 1e-5  # fourteen layers' rounding


def test_the_plain_one_has_the_same_build() -> None:
    plain = UNet(None, width=16)
    assert plain(torch.randn(1, 1, 21, 30)).shape == (1, 1, 21, 30)
    assert [name for name, _ in plain.named_children()] == [
        name for name, _ in UNet(P4, width=16).named_children()
    ]
    for group in (P4, P4M, Cyclic(8), SO2):
        assert count(UNet(group, width=16)) == pytest.approx(count(plain), rel=0.04)
    for wrong in ({"kernel_size": 4}, {"levels": 0}, {"width": 0}):
        with pytest.raises(ValueError, match="odd kernel_size, and 1 or more"):
            UNet(P4, **wrong)
    assert UNet(P4, width=4, levels=1)(torch.randn(1, 1, 5, 5)).shape == (1, 1, 5, 5)


@pytest.mark.parametrize("group", [None, P4, P4M, Cyclic(8), SO2], ids=str)
@pytest.mark.parametrize("levels", [1, 2])
def test_where_all_last_features_are_negative_masks_still_grow(group: Planar, levels: int) -> None:
    """A ReLU would leave the bias alone to learn."""
    torch.manual_seed(0)
    model = UNet(group, width=8, levels=levels)
    last = model.up[0] if levels > 1 else model.down[0]
    with torch.no_grad():
        for name, parameter in last[4].named_parameters():  # most values within 1 of -2
            parameter.fill_(-2 if "bias" in name else 0.3)
    model(torch.randn(2, 1, 9, 9)).square().mean().backward()
    for layer in (last[3], model.head):
        weights = {n: p for n, p in layer.named_parameters() if "weight" in n}
        learning = [float(p.grad.abs().max()) for p in weights.values()]
        assert min(learning) > 1e-6


def test_between_quarter_turns() -> None:
    """On a smooth picture the scores of C8 hardly move at 45°, those of P4 do."""
    at = torch.arange(28.0, dtype=torch.float64) - 13.5
    up, right = torch.meshgrid(-at, at, indexing="ij")

    def blob(wide: float, high: float) -> torch.Tensor:
        return torch.exp(-((right - 2) ** 2 / wide + (up - 1) ** 2 / high) / 2)[None, None]

    x, off = blob(16, 4), {}
    for group in (P4, Cyclic(8), SO2):
        torch.manual_seed(0)
        model = DigitCNN(group).double()
        lively(model, torch.cat([x, x.flip(-1), blob(6, 14) - 0.5 * x]))
        off[str(group)] = audit(model, x, group, angles=[math.pi / 4]).curve.error.item()
    assert off["C8"] < 0.05
    assert off["SO2"] < 0.1
    assert off["P4"] > 3 * off["C8"]


def test_a_card_names_any_group(tmp_path: object) -> None:
    torch.manual_seed(0)
    settings = {"group": "C8", "width": 8}
    model = ResNet18(Cyclic(8), width=8)
    card = ModelCard("ResNet18", settings, "none", "none", {}, "MIT")
    save_pretrained(model, tmp_path / "c8.safetensors", card)
    loaded, _card = load_pretrained(tmp_path / "c8.safetensors")
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
