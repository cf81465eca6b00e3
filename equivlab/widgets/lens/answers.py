"""What trained classifiers say of a posed sky, now and all round."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from equivlab.data.lenses import LensRecipe
from equivlab.weights import Classifier, load_classifier
from equivlab.weights.likeness import remarks
from equivlab.widgets.lens.sky import Pose, Sky

__all__ = ["STEPS", "Chosen", "Jury", "as_classifier", "shipped_for"]

STEPS = 24  # of a full turn
#: Which shipped classifier was trained on such lenses, by the recipe's name and its pixels.
SHIPPED = {
    ("Model I", 64): "lenses-i-p4m",
    ("Model I", 150): "lenses-i-150px-p4m",
    ("Model II", 64): "lenses-ii-p4m",
}
Chosen = Classifier | str | os.PathLike[str] | None


def shipped_for(recipe: LensRecipe) -> str | None:
    """The name of the shipped classifier for a recipe's lenses, if there is one."""
    return SHIPPED.get((recipe.name, recipe.camera.pixels))


def as_classifier(chosen: Chosen, recipe: LensRecipe) -> Classifier | None:
    """The classifier itself, if it takes pictures of that recipe.

    Raises:
        TypeError: no classifier, nor a name or path of one.
        FileNotFoundError: no such name or file.
        ValueError: it takes another number of channels.
    """
    if chosen is None:
        return None
    if not isinstance(chosen, Classifier | str | os.PathLike):
        raise TypeError(
            f"SeeThrough takes a Classifier, or the name or path of one; got "
            f"{type(chosen).__name__}. Wrap a network: equivlab.weights.Classifier(model, card)"
        )
    found = chosen if isinstance(chosen, Classifier) else load_classifier(chosen)
    channels = int(found.card.settings.get("in_channels", 1))
    if channels != recipe.channels:
        raise ValueError(
            f"The classifier takes {channels} channels; {recipe.name} has {recipe.channels}. "
            "Give another, or classifier=False for none."
        )
    return found


class Jury:
    """One or two classifiers that look at the same sky.

    Args:
        sky: what makes the pictures.
        classifiers: by name.
    """

    def __init__(self, sky: Sky, classifiers: dict[str, Classifier]) -> None:
        self.sky, self.classifiers = sky, classifiers

    def classes(self) -> list[list[str]]:
        """Of each, the names of its classes."""
        return [list(one.classes) for one in self.classifiers.values()]

    def say(self, flux: np.ndarray) -> list[list[float]]:
        """Of each, its probabilities for pictures ``(B, C, H, W)``: a flat list, row by row."""
        return [self._ask(one, flux).flatten().tolist() for one in self.classifiers.values()]

    def around(self, pose: Pose) -> list[list[list[float]]]:
        """Of each, its probabilities at every step of a full turn ``(STEPS, K)``."""
        angles = [360 * step / STEPS for step in range(STEPS)]
        flux = np.stack([self.sky.picture(replace(pose, angle_deg=angle)) for angle in angles])
        return [self._ask(one, flux).tolist() for one in self.classifiers.values()]

    def remark(self, flux: np.ndarray, said: list[list[float]]) -> str:
        """Why the picture is unlike those that a classifier was trained on; empty if it is not.

        Args:
            flux: the picture ``(C, H, W)``.
            said: of each classifier its probabilities, for the class that the picture is called.
        """
        x = torch.from_numpy(flux[None]).float()
        for (name, one), chances in zip(self.classifiers.items(), said, strict=True):
            called = one.classes[chances.index(max(chances))]
            (unlike,) = remarks(x, one.prepare, one.card.seen, [called])
            if unlike:
                return f"{name}: {unlike}"
        return ""

    @staticmethod
    def _ask(one: Classifier, flux: np.ndarray) -> Tensor:
        weight = next(one.parameters())
        with torch.no_grad():
            chances: Tensor = one(torch.from_numpy(flux).to(weight.device, weight.dtype))
        return chances.double().cpu()
