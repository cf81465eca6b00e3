"""Convolutions by frequency are those of the layers: `benchmarks/frequencies.py`."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from equivlab.fields import RegularMaps
from equivlab.groups import P4, Cyclic
from equivlab.nn import DiscMask, GroupConv2d, GroupDownsample2d, LiftingConv2d
from tests.laws import relative

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "frequencies.py"


@pytest.fixture(scope="module")
def by_frequency() -> ModuleType:
    """The script as a module; a source archive has no benchmarks."""
    if not SCRIPT.exists():
        pytest.skip("without benchmarks/")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)
        return importlib.import_module("frequencies")


def gradients(layer: nn.Module, x: Tensor, wanted: Tensor) -> list[Tensor]:
    """The output, and the gradients to input and weights."""
    x = x.detach().requires_grad_()
    layer.zero_grad()
    y = layer(x)
    y.backward(wanted)
    return [y.detach(), x.grad, *(p.grad.clone() for p in layer.parameters())]


@pytest.mark.parametrize(("side", "size"), [(6, 5), (7, 5), (7, 7), (9, 3), (14, 7)])
@pytest.mark.parametrize("group", [P4, Cyclic(8)], ids=str)
@pytest.mark.parametrize(("mode", "padding"), [("constant", "zeros"), ("replicate", "replicate")])
def test_group_convolutions(
    by_frequency: ModuleType, group: object, side: int, size: int, mode: str, padding: str
) -> None:
    """Outputs and gradients, in double precision."""
    options = {"padding": size // 2, "bias": False, "padding_mode": padding}
    layer = GroupConv2d(group, 2, 3, size, **options, dtype=torch.float64)
    x = torch.randn(4, 2, group.order, side, side, dtype=torch.float64)
    wanted = torch.randn(4, 3, group.order, side, side, dtype=torch.float64)
    other = by_frequency.ByFrequency(layer, mode)
    for here, there in zip(gradients(other, x, wanted), gradients(layer, x, wanted), strict=True):
        assert relative(here, there) < 1e-12


def test_lifting_convolutions(by_frequency: ModuleType) -> None:
    """As one product with all windows."""
    layer = LiftingConv2d(Cyclic(8), 2, 3, 7, padding=3, bias=False, dtype=torch.float64)
    x = torch.randn(4, 2, 9, 9, dtype=torch.float64)
    wanted = torch.randn(4, 3, 8, 9, 9, dtype=torch.float64)
    for here, there in zip(
        gradients(by_frequency.OfImages(layer), x, wanted),
        gradients(layer, x, wanted),
        strict=True,
    ):
        assert relative(here, there) < 1e-12


def test_maps_one_by_one(by_frequency: ModuleType) -> None:
    """A disc and a halving, as one matrix."""
    one, all_of_them = (
        nn.Sequential(DiscMask(RegularMaps(Cyclic(8), n)), GroupDownsample2d(Cyclic(8), n))
        for n in (1, 3)
    )
    x = torch.randn(2, 3, 8, 14, 14)
    assert relative(by_frequency.MapByMap(one, 8, 14)(x), all_of_them(x)) < 1e-6


def test_half_precision_is_near(by_frequency: ModuleType) -> None:
    """Rounded to eight bits on the way there and back."""
    layer = GroupConv2d(Cyclic(8), 4, 4, 5, padding=2, bias=False)
    x = torch.randn(4, 4, 8, 7, 7)
    found = by_frequency.ByFrequency(layer)(x.bfloat16())
    assert found.dtype == torch.bfloat16
    assert relative(found.float(), layer(x)) < 0.02
