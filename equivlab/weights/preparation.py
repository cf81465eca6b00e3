"""From a raw image to what a network was trained on: named steps, which travel in its card.

>>> import torch
>>> prepare = Preparation([("crop_center", {"size": 8}), ("sqrt_stretch", {}), "standardize_each"])
>>> prepare
Preparation(crop_center(size=8), sqrt_stretch(), standardize_each())
>>> x = torch.rand(2, 1, 12, 12)
>>> prepare(x).shape, torch.allclose(prepare(x), prepare(1000 * x), atol=1e-4)
(torch.Size([2, 1, 8, 8]), True)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.data.stretch import (
    arcsinh_stretch,
    crop_center,
    scale_each,
    sqrt_stretch,
    standardize_each,
)

__all__ = ["STEPS", "Preparation", "Step", "as_steps", "resize"]

Step = tuple[str, dict[str, float]]


def resize(x: Tensor, size: int) -> Tensor:
    """Resample to `size` × `size` pixels, bilinearly, without aliases: ``(B, C, H, W)``."""
    if tuple(x.shape[-2:]) == (size, size):
        return x
    return F.interpolate(x, (size, size), mode="bilinear", antialias=True)


def square(x: Tensor) -> Tensor:
    """The middle square of an image; see `crop_center` for sides of different parity."""
    return crop_center(x, min(x.shape[-2:]))


def divide(x: Tensor, by: float) -> Tensor:
    """``x/by``, for example 255 for bytes."""
    return x / by


def subtract(x: Tensor, level: float) -> Tensor:
    """``x − level``, for example the brightness of the sky."""
    return x - level


STEPS: dict[str, Callable[..., Tensor]] = {
    "arcsinh_stretch": arcsinh_stretch,
    "crop_center": crop_center,
    "divide": divide,
    "resize": resize,
    "scale_each": scale_each,
    "sqrt_stretch": sqrt_stretch,
    "square": square,
    "standardize_each": standardize_each,
    "subtract": subtract,
}
WHOLE = ("size",)  # arguments that are numbers of pixels
LINEAR = (
    "crop_center",
    "divide",
    "resize",
    "sqrt_stretch",
    "square",
)  # c·x becomes a multiple of x
NORMS = ("scale_each", "standardize_each")


def as_steps(steps: Iterable[str | Sequence[Any]]) -> tuple[Step, ...]:
    """Steps as a card holds them: a name, or a name with arguments.

    Raises:
        ValueError: a step that this version does not know, or arguments that it does not take.
    """
    found = []
    for step in steps:
        pair: list[Any] = [step, {}] if isinstance(step, str) else list(step)
        if len(pair) != 2 or pair[0] not in list(STEPS) or not isinstance(pair[1], dict):
            raise ValueError(f"the steps are {', '.join(STEPS)}, with arguments; got {step!r}")
        name, arguments = pair
        wanted = list(inspect.signature(STEPS[name]).parameters.values())[1:]
        names = {parameter.name for parameter in wanted}
        needed = {one.name for one in wanted if one.default is inspect.Parameter.empty}
        if not needed <= set(arguments) <= names:
            takes = ", ".join(one.name for one in wanted) or "nothing"
            raise ValueError(f"the step {name} takes {takes}; got {arguments}")
        numbers = {
            key: int(value) if key in WHOLE else float(value) for key, value in arguments.items()
        }
        if any(value < 1 for key, value in numbers.items() if key in WHOLE):
            raise ValueError(f"the step {name} takes a size of 1 or more; got {arguments}")
        found.append((name, numbers))
    return tuple(found)


class Preparation(nn.Module):
    """Steps applied one after another to ``(B, C, H, W)`` images; it has nothing to learn.

    Each step commutes with quarter turns and mirrors, so it leaves a network as equivariant as
    it is.

    Args:
        steps: ``'arcsinh_stretch'``, ``'crop_center'``, ``'divide'``, ``'resize'``,
            ``'scale_each'``, ``'sqrt_stretch'``, ``'square'``, ``'standardize_each'`` or
            ``'subtract'``; or pairs of a name and its arguments.

    Raises:
        ValueError: an unknown step, or arguments that it does not take.
    """

    def __init__(self, steps: Iterable[str | Sequence[Any]] = ()) -> None:
        super().__init__()
        self.steps = as_steps(steps)

    def forward(self, x: Tensor) -> Tensor:
        """The prepared images, in float32 where whole numbers came."""
        if not x.is_floating_point():
            x = x.to(torch.get_default_dtype())
        for name, arguments in self.steps:
            x = STEPS[name](x, **arguments)
        return x

    @property
    def ignores_scale(self) -> bool:
        """Whether ``c·x`` gives what ``x`` gives, for every positive number ``c``."""
        for name, _ in self.steps:
            if name in NORMS:
                return True
            if name not in LINEAR:
                return False
        return False

    def __repr__(self) -> str:
        calls = (
            f"{name}({', '.join(f'{key}={value}' for key, value in arguments.items())})"
            for name, arguments in self.steps
        )
        return f"Preparation({', '.join(calls)})"
