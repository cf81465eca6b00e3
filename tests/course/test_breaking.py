"""The checks of the notebook that breaks networks know right from wrong, and say which wrong."""

from __future__ import annotations

import pytest
import torch

from equivlab import audit
from equivlab.course import check_culprits, check_steps
from equivlab.equivariance import AuditReport
from equivlab.groups import P4
from equivlab.nn import LiftingConv2d


def fits(size: int, kernel: int, stride: int, padding: int) -> bool:
    return (size + 2 * padding - kernel) % stride == 0


def test_the_right_rule_is_the_one_that_layers_obey() -> None:
    """Against measured layers, not against the check."""
    for key in ((9, 3, 2, 1), (10, 3, 2, 1), (10, 2, 2, 0), (11, 3, 3, 0), (12, 3, 3, 0)):
        size, kernel, stride, padding = key
        layer = LiftingConv2d(P4, 1, 1, kernel, stride=stride, padding=padding)
        report = audit(layer, torch.randn(1, 1, size, size), P4, angles=0)
        assert (report.max_error <= report.exact) is fits(*key)
    assert check_steps(fits).right


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda n, k, s, p: n % s == 0, "The kernel counts"),
        (lambda n, k, s, p: (n + 2 * p) % s == 0, "The kernel counts"),
        (lambda n, k, s, p: (n + p - k) % s == 0, "on both sides"),
        (lambda n, k, s, p: (n - k) % s == 0, "Padding counts"),
        (lambda n, k, s, p: n % 2 == 1, "Odd sizes"),
        (lambda n, k, s, p: True, "size 9, kernel 1, stride 3, padding 0"),
        (lambda n, k, s, p: 1, "True or False; this is 1"),
        (lambda n, k, s, p: None, "Nothing comes back"),
        (lambda n, k, s, p: n % 0, "ZeroDivisionError"),
    ],
)
def test_rules_that_are_wrong(attempt, said: str) -> None:
    verdict = check_steps(attempt)
    assert not verdict.right
    assert said in verdict.said


def above(report: AuditReport, column: str, least: float, last: int | None = -1) -> list[str]:
    rows = report.table.iloc[:last]
    return list(rows.index[rows[column] > least])


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda r: above(r, "max", r.exact), "handed on"),
        (lambda r: above(r, "own", 0.0), "rounding"),
        (lambda r: above(r, "own", r.exact)[:1], "more than one"),
        (lambda r: above(r, "own", r.exact, last=None), "whole model and no layer"),
        (lambda r: ["7"], "these are ['7'], and 0 break"),
        (lambda r: "0", "this is '0'"),
        (lambda r: None, "Nothing comes back"),
        (lambda r: r.nothing, "AttributeError"),
    ],
)
def test_the_wrong_are_accused(attempt, said: str) -> None:
    verdict = check_culprits(attempt)
    assert not verdict.right
    assert said in verdict.said


def test_the_right_are_accused() -> None:
    assert check_culprits(lambda r: above(r, "own", r.exact)).right
    assert check_culprits(lambda r: tuple(above(r, "own", r.exact))).right
