"""The one measure of the law."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from equivlab.equivariance import equivariance_error, equivariance_errors

FAR = torch.tensor([1e20, 1e20])


def test_it_is_numpys_in_double_precision() -> None:
    a, b = torch.randn(2, 3, 5)
    x, y = a.double().numpy(), b.double().numpy()
    wanted = np.linalg.norm(x - y) / np.linalg.norm(y)
    assert equivariance_error(a, b) == pytest.approx(wanted, rel=1e-12)
    rows = np.linalg.norm(x - y, axis=1) / np.linalg.norm(y, axis=1)
    assert equivariance_errors(a, b).tolist() == pytest.approx(rows.tolist(), rel=1e-12)
    assert equivariance_error(FAR.float(), FAR.float() * 2) == pytest.approx(0.5, rel=1e-6)


def test_complex_numbers_and_containers() -> None:
    z = torch.tensor([3 + 4j])
    assert equivariance_error(1.5 * z, z) == pytest.approx(0.5)
    a, b = torch.tensor([3.0]), torch.tensor([[4.0]])
    assert equivariance_error((a, {"b": b + 1}), (a, {"b": b})) == pytest.approx(0.2)
    assert equivariance_error(torch.tensor([True]), torch.tensor([True])) == 0


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (torch.ones(2), torch.ones(3)),
        (torch.ones(2), torch.ones(2, 1)),
        (torch.ones(1), torch.zeros(1)),
        (torch.tensor([math.nan]), torch.ones(1)),
        (torch.ones(1), torch.tensor([math.inf])),
        ((torch.ones(1),), (torch.ones(1), torch.ones(1))),
        ((), ()),
    ],
)
def test_what_cannot_be_compared_is_infinitely_far(found: object, wanted: object) -> None:
    assert equivariance_error(found, wanted) == math.inf


def test_nothing_where_nothing_is_wanted() -> None:
    assert equivariance_error(torch.zeros(3), torch.zeros(3)) == 0
    assert equivariance_errors(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]
    assert equivariance_errors(torch.zeros(0, 3), torch.zeros(0, 3)).tolist() == []


def test_one_number_for_each_sample() -> None:
    found = equivariance_errors(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0]))
    assert found.tolist() == [0, 0.5]
    with pytest.raises(ValueError, match="one shape"):
        equivariance_errors(torch.ones(2), torch.ones(3))
