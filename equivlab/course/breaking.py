"""Checks for the exercises on what breaks equivariance and who did it; see `equivlab.course`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import nn

from equivlab.course.verdict import Verdict, run_attempt
from equivlab.equivariance import AuditReport, audit
from equivlab.groups import P4
from equivlab.models import smooth_network
from equivlab.nn import GroupBatchNorm
from equivlab.widgets import broken

__all__ = ["check_culprits", "check_steps"]

Steps = Callable[[int, int, int, int], bool]


def check_steps(attempt: Callable[[int, int, int, int], Any]) -> Verdict:
    """When a strided window keeps the law: ``attempt(size, kernel, stride, padding)``.

    Args:
        attempt: takes four whole numbers of pixels; should give whether the last window ends
            where the padded rows end, so that quarter turns map the windows to each other.
    """
    found: dict[tuple[int, int, int, int], bool] = {}
    for key in product(range(9, 15), (1, 2, 3, 5), (1, 2, 3), (0, 1, 2)):
        given, trouble = run_attempt(attempt, key)
        if trouble:
            return Verdict(False, trouble)
        if not isinstance(given, bool):
            return Verdict(False, f"It should give True or False; this is {given!r}.")
        found[key] = given

    def is_(rule: Steps) -> bool:
        return all(rule(*key) == said for key, said in found.items())

    if is_(_fits):
        return Verdict(True, "The steps must fill what is left beside the first window.")
    if is_(lambda n, k, s, p: n % s == 0) or is_(lambda n, k, s, p: (n + 2 * p) % s == 0):
        said = "The kernel counts: the first window covers kernel pixels, and only the rest steps."
    elif is_(lambda n, k, s, p: (n + p - k) % s == 0):
        said = "Padding stands on both sides."
    elif is_(lambda n, k, s, p: (n - k) % s == 0):
        said = "Padding counts: it makes the rows longer, on both sides."
    elif is_(lambda n, k, s, p: n % 2 == 1):
        said = "Odd sizes do for many networks, but not for every kernel and stride."
    else:
        n, k, s, p = next(key for key, given in found.items() if given != _fits(*key))
        windows = (n + 2 * p - k) // s + 1
        said = (
            f"size {n}, kernel {k}, stride {s}, padding {p}: {windows} windows leave "
            f"{(n + 2 * p - k) % s} of {n + 2 * p} pixels over at the end."
        )
    return Verdict(False, said)


def _fits(size: int, kernel: int, stride: int, padding: int) -> bool:
    return (size + 2 * padding - kernel) % stride == 0


def check_culprits(attempt: Callable[[AuditReport], Any]) -> Verdict:
    """Who broke the law: ``attempt(report)``.

    Args:
        attempt: takes the report of an `audit`; should give a list of the names of those layers
            that break the law by themselves, in their order.
    """
    for report in _reports():
        found, trouble = run_attempt(attempt, (report,))
        if trouble:
            return Verdict(False, trouble)
        if isinstance(found, str) or not hasattr(found, "__iter__"):
            return Verdict(False, f"It should give a list of names; this is {found!r}.")
        names = [str(name) for name in found]
        layers = report.table.iloc[:-1]
        right = list(layers.index[layers["own"] > report.exact])
        if names == right:
            continue
        if "output" in names:
            said = "output is the whole model and no layer: leave the last row out."
        elif names == list(layers.index[layers["max"] > report.exact]):
            said = "an error is handed on to all layers behind it. Who made it? There is a column."
        elif names == list(layers.index[layers["own"] > 0]):
            said = f"the last digits are rounding. report.exact says up to where: {report.exact:g}."
        elif len(right) > 1 and names == right[:1]:
            said = "there may be more than one."
        else:
            said = f"these are {names}, and {len(right)} break the law by themselves."
        return Verdict(False, f"A network of {len(layers)} layers: {said}")
    return Verdict(True, "Layers that an error only passes through are innocent.")


def _reports() -> list[AuditReport]:
    """Of a network that obeys, of one that is broken once, and of one that is broken twice."""
    net = nn.Sequential(*smooth_network(P4), GroupBatchNorm(P4, 2), nn.ReLU())
    nets = [net.eval(), broken(net, "stride"), broken(broken(net, "slices"), "bias")]
    x = torch.randn(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    return [audit(one, x, P4, angles=0) for one in nets]
