"""What all networks have in common: a row in the table, the order of arguments, a home."""

from __future__ import annotations

import inspect

import pytest
import torch

from equivlab import models
from tests.networks import NETWORKS, NO_NETWORKS, build

ORDER = ("group", "irreps", "irreps_in", "in_channels", "classes", "width", "widths")
NAMES = sorted(NETWORKS)


def test_every_network_has_a_row() -> None:
    """Write one in tests/networks.py for a new network."""
    assert set(models.__all__) - NO_NETWORKS == set(NETWORKS)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_come_in_one_order(name: str) -> None:
    arguments = inspect.signature(getattr(models, name)).parameters
    positional = [a.name for a in arguments.values() if a.kind is a.POSITIONAL_OR_KEYWORD]
    by_name = [a.name for a in arguments.values() if a.kind is a.KEYWORD_ONLY]
    assert positional == [argument for argument in ORDER if argument in positional]
    assert not set(by_name) & set(ORDER)
    assert by_name[-2:] == ["device", "dtype"]


@pytest.mark.parametrize("name", NAMES)
def test_device_and_dtype(name: str) -> None:
    model = build(name, dtype=torch.float64)
    floats = [value for value in model.state_dict().values() if value.is_floating_point()]
    assert {value.dtype for value in floats} == {torch.float64}
    for double, single in zip(model.parameters(), build(name).parameters(), strict=True):
        assert torch.allclose(double.float(), single, atol=1e-6)  # the same seed, the same weights
    empty = build(name, device="meta")
    assert {value.device.type for value in empty.state_dict().values()} == {"meta"}
