"""Checks for the exercises on groups: a product, and an orbit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equivlab.course.verdict import Verdict, run_attempt
from equivlab.groups import P4, P4M

__all__ = ["check_compose", "check_orbit"]


def check_compose(attempt: Callable[[int, int], Any]) -> Verdict:
    """The product of two elements of P4M: ``attempt(g, h)``, first `h` and then `g`.

    Args:
        attempt: takes two elements as numbers from 0 to 7, ``4·m + r`` for the mirror (`m` times)
            followed by `r` quarter turns; should give the number of their product.
    """
    pairs = [(g, h) for g in P4M.elements for h in P4M.elements]
    found: dict[tuple[int, int], int] = {}
    for g, h in pairs:
        k, trouble = run_attempt(attempt, (g, h))
        if trouble:
            return Verdict(False, trouble)
        if isinstance(k, bool) or not isinstance(k, int) or not 0 <= k < P4M.order:
            return Verdict(False, f"g = {g}, h = {h}: elements are 0 to 7; this is {k!r}.")
        found[g, h] = k
    right = {(g, h): _number(P4M.matrix(g) @ P4M.matrix(h)) for g, h in pairs}
    wrong = [pair for pair in pairs if found[pair] != right[pair]]
    if not wrong:
        return Verdict(True, "All 64 products: a mirror turns the sense of rotation round.")
    g, h = wrong[0]
    if all(found[g, h] == right[h, g] for g, h in pairs):
        said = "this is h·g. The product g·h does h first, and then g."
    elif all(found[g, h] == 4 * (g // 4 ^ h // 4) + (g + h) % 4 for g, h in pairs):
        said = "the turns are added as if no mirror stood between. Mirror, then turn, is not "
        said += "turn, then mirror."
    elif all(found[g, h] == (g + h) % 8 for g, h in pairs):
        said = "adding the numbers makes a circle of eight. Split them into mirror and turn."
    else:
        said = f"the product is {right[g, h]}, {P4M.element_name(right[g, h])}."
    return Verdict(False, f"g = {g}, h = {h}: {said}")


def _number(matrix: Tensor) -> int:
    """The element with this matrix."""
    return next(k for k in P4M.elements if torch.equal(P4M.matrix(k), matrix))


def check_orbit(attempt: Callable[[Tensor], Any]) -> Verdict:
    """The orbit of a picture under P4M: ``attempt(x)``.

    Args:
        attempt: takes a picture ``(5, 5)``; should give a list of the different pictures that the
            eight elements make of it.
    """
    for name, x, size in _pictures():
        given, trouble = run_attempt(attempt, (x.clone(),))
        if trouble:
            return Verdict(False, trouble)
        if not isinstance(given, list | tuple) or not all(isinstance(y, Tensor) for y in given):
            return Verdict(False, f"It should give a list of tensors; got {type(given).__name__}.")
        found = _distinct(list(given))
        said = ""
        if any(not _among(y, [P4M.move(g, x) for g in P4M.elements]) for y in found):
            said = "there is a picture that no turn and no mirror makes of it."
        elif len(given) > len(found):
            said = f"{len(given)} pictures, of which only {len(found)} differ. Count each once."
        elif not _among(x, found):
            said = "the picture itself is missing, but the identity is an element too."
        elif len(found) < size and len(found) == len(_distinct([P4.move(r, x) for r in range(4)])):
            said = "the turned pictures are there, but the mirrored ones are missing."
        elif len(found) < size:
            said = f"the orbit has {size} pictures; these are {len(found)}."
        if said:
            return Verdict(False, f"The {name}: {said}")
    return Verdict(True, "8, 4 and 1: the more symmetric a picture, the smaller its orbit.")


def _pictures() -> list[tuple[str, Tensor, int]]:
    """Three pictures, and how large their orbits are."""
    flag, arrow, plus = torch.zeros(3, 5, 5)
    flag[1:4, 1], flag[1, 2] = 1, 2
    arrow[2, 1:4], arrow[1, 2], arrow[3, 2], arrow[2, 3] = 1, 1, 1, 2
    plus[2, :], plus[:, 2] = 1, 1
    return [("flag", flag, 8), ("arrow", arrow, 4), ("plus sign", plus, 1)]


def _among(x: Tensor, pictures: list[Tensor]) -> bool:
    return any(x.shape == y.shape and torch.equal(x, y) for y in pictures)


def _distinct(pictures: list[Tensor]) -> list[Tensor]:
    kept: list[Tensor] = []
    for picture in pictures:
        if not _among(picture, kept):
            kept.append(picture)
    return kept
