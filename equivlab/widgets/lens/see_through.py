"""Hold a gravitational lens, and hear what a trained network takes it for."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any, Literal

import numpy as np
import torch
import traitlets
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from equivlab.data.lenses import CLASSES, LensRecipe, lens_recipe
from equivlab.weights import Classifier
from equivlab.widgets.lens.answers import STEPS, Chosen, Jury, as_classifier, shipped_for
from equivlab.widgets.lens.sky import LIMITS, Pose, Sky, lines_of
from equivlab.widgets.lens.still import still_lens
from equivlab.widgets.page.asked import AskedView
from equivlab.widgets.page.module import page_module
from equivlab.widgets.page.palette import hue, roles_of
from equivlab.widgets.page.view import as_bytes

__all__ = ["SeeThrough"]

PIXELS = 64  # of a family that is named: what most of the shipped classifiers take
SOFT = 3.0  # deviations of the background up to which brightness is shown in proportion
Array = NDArray[np.float64]


class SeeThrough(AskedView):
    """A gravitational lens to hold, its image, its caustics, and what classifiers say of it.

    Source and deflector move under the hand, and so do the deflector's axis and one more mass; the
    other numbers have sliders. Each move shoots the rays again, as `simulate` does, and asks
    the classifiers; the latest question wins, none queue up. Turning turns the sky
    itself, so nothing is interpolated; the noise turns along by quarter turns. The curve shows the
    probability of one class all round: level for a network that is equivariant, up to what pixels
    cost between quarter turns.

    White lines in the picture are critical curves, where images are infinitely bright; behind it
    they are caustics: a source that crosses one gains or loses two images.

    Without a kernel, in an exported page, the sky turns in the steps that came with it, for each
    class of dark matter, with the answers of then; the other handles rest.

    Keys: ``→`` and ``←`` turn by 5°, with Shift by 90°; on a slider they move that; ``w`` ``a``
    ``s`` ``d`` move the source; ``k`` takes the next kind of dark matter, ``n`` another draw of it;
    ``o`` takes noise away, and brings it back; ``c`` hides the curves; ``r`` resets; ``f`` fills
    the screen; ``?`` tells all keys.

    Args:
        lens: a recipe, or the name of a family of `lens_recipe`, then at 64×64 pixels.
        classifier: what says of which class it is: a `Classifier`, a name of `load_classifier`, or
            a path; by default the shipped one that was trained on such lenses, if any; False for
            none.
        compare: another, beside it; ``'lenses-i-plain'`` is not equivariant.

    Raises:
        TypeError, ValueError: a lens or a classifier that does not fit; the message says what does.
        FileNotFoundError: no classifier of that name.

    Source:
        Schneider, Ehlers & Falco, *Gravitational Lenses*, Springer, 1992; the classes of dark
        matter after Alexander et al., ApJ 893, 2020.
    """

    _esm = page_module("lens/see_through.js")

    source_x = traitlets.Float(0.0).tag(sync=True)
    source_y = traitlets.Float(0.0).tag(sync=True)
    lens_x = traitlets.Float(0.0).tag(sync=True)
    lens_y = traitlets.Float(0.0).tag(sync=True)
    theta_e = traitlets.Float(1.0).tag(sync=True)
    ellipticity = traitlets.Float(0.0).tag(sync=True)
    axis_deg = traitlets.Float(0.0).tag(sync=True)
    shear = traitlets.Float(0.0).tag(sync=True)
    shear_deg = traitlets.Float(0.0).tag(sync=True)
    amount = traitlets.Float(1.0).tag(sync=True)
    clump_mass = traitlets.Float(0.0).tag(sync=True)
    clump_x = traitlets.Float(0.0).tag(sync=True)
    clump_y = traitlets.Float(0.0).tag(sync=True)
    angle_deg = traitlets.Float(0.0).tag(sync=True)
    kind = traitlets.Enum(CLASSES, CLASSES[0]).tag(sync=True)
    draw = traitlets.Int(0).tag(sync=True)
    noise = traitlets.Bool(True).tag(sync=True)
    curves = traitlets.Bool(True).tag(sync=True)
    _spec = traitlets.Dict().tag(sync=True)
    _colours = traitlets.Bytes().tag(sync=True)
    _recorded = traitlets.Bytes().tag(sync=True)  # levels of each kind at each step of a turn
    _recorded_lines = traitlets.Bytes().tag(sync=True)  # curves of each kind

    def __init__(
        self,
        lens: LensRecipe | str = "I",
        classifier: Chosen | Literal[False] = None,
        *,
        compare: Chosen = None,
    ) -> None:
        recipe = lens_recipe(lens, pixels=PIXELS) if isinstance(lens, str) else lens
        if not isinstance(recipe, LensRecipe):
            raise TypeError(
                "SeeThrough takes a LensRecipe or the name of a family, 'I' to 'IV'; got "
                f"{type(lens).__name__}."
            )
        chosen = shipped_for(recipe) if classifier is None else classifier or None
        found = {}
        for each, title in ((chosen, "classifier"), (compare, "compare")):
            one = as_classifier(each, recipe)
            if one is not None:
                name = title if isinstance(each, Classifier) else str(each)
                found[name if name not in found else f"{name} (2)"] = one
        super().__init__()
        self.sky = Sky(recipe)
        self.jury = Jury(self.sky, found)
        self.roles = roles_of([one.model for one in found.values()])
        rest = self.sky.rest()
        self._bright = float(self.sky.picture(replace(rest, noise=False)).max())
        for name, value in asdict(rest).items():
            setattr(self, name, value)
        table = torch.tensor(colormaps["cividis"](range(256)))[:, :3]
        self._colours = as_bytes((255 * table).round().to(torch.uint8))
        self._spec = self._specification(rest)

    def _specification(self, rest: Pose) -> dict[str, Any]:
        """All that the page has to know, with what it shows without a kernel."""
        recorded, levels, lines = [], [], []
        for kind in CLASSES:
            pose = replace(rest, kind=kind)
            turns = [replace(pose, angle_deg=360 * step / STEPS) for step in range(STEPS)]
            pictures = [self.sky.picture(turn) for turn in turns]
            levels += [self._levels(flux) for flux in pictures]
            around = self.jury.around(pose)
            recorded.append({"around": around, "gain": self.sky.magnification(pose)})
            critical, caustics = self.sky.curves(pose)
            lines += [lines_of(critical), lines_of(caustics)]
        self._recorded = b"".join(one.tobytes() for one in levels)
        self._recorded_lines = b"".join(lines)
        recipe = self.sky.recipe
        return {
            "title": recipe.name,
            "pixels": recipe.camera.pixels,
            "half": self.sky.half,
            "rest": asdict(rest),
            "limits": LIMITS,
            "kinds": list(CLASSES),
            "steps": STEPS,
            "source_radius": recipe.source.radius,
            "networks": [
                {"name": name, "role": role, "classes": classes}
                for name, role, classes in zip(
                    self.jury.classifiers, self.roles, self.jury.classes(), strict=True
                )
            ],
            "recorded": recorded,
            "lines": [len(one) // 4 for one in lines],
        }

    @property
    def pose(self) -> Pose:
        """Where everything is now."""
        return Pose.of({name: getattr(self, name) for name in asdict(self.sky.rest())})

    def turn_to(self, part: float) -> None:
        self.angle_deg = 360.0 * part

    def image(self) -> Array:
        """What the camera sees now, ``(C, H, W)`` in flux; the lowest row first."""
        return self.sky.picture(self.pose)

    def probabilities(self) -> dict[str, dict[str, float]]:
        """What each classifier says now, by its name and the name of the class."""
        said = self.jury.say(self.image()[None])
        return {
            name: dict(zip(classes, chances, strict=True))
            for name, classes, chances in zip(
                self.jury.classifiers, self.jury.classes(), said, strict=True
            )
        }

    def answer(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        pose = Pose.of(question)
        flux = self.sky.picture(pose)
        said = self.jury.say(flux[None])
        critical, caustics = self.sky.curves(pose)
        content: dict[str, Any] = {
            "said": said,
            "remark": self.jury.remark(flux, said),
            "gain": self.sky.magnification(pose),
        }
        if question.get("around"):
            content["around"] = self.jury.around(pose)
        return content, [self._levels(flux).tobytes(), lines_of(critical), lines_of(caustics)]

    def _levels(self, flux: Array) -> NDArray[np.uint8]:
        """Brightness as a page shows it, ``(H, W)``: the mean of channels, softened above noise."""
        noise = SOFT * max(self.sky.recipe.camera.background_rms, 1e-3 * self._bright)
        shown = np.arcsinh(flux.mean(0) / noise) / math.asinh(self._bright / noise)
        return np.asarray(np.clip(20 + 235 * shown, 0, 255).round(), np.uint8)

    def __repr__(self) -> str:
        side = self.sky.recipe.camera.pixels
        judges = ", ".join(self.jury.classifiers) or "no classifier"
        return f"SeeThrough({self.sky.recipe.name}, {side}×{side} pixels, {judges})"

    def figure(self) -> Figure:
        """The picture, caustics and answers as it shows them now."""
        pose = self.pose
        turn = np.exp(1j * math.radians(pose.angle_deg))
        both = tuple([_turned(line, turn) for line in lines] for lines in self.sky.curves(pose))
        source = complex(pose.source_x, pose.source_y) * turn
        bars = {
            name: (hue(role), list(chances), list(chances.values()))
            for (name, chances), role in zip(self.probabilities().items(), self.roles, strict=True)
        }
        title = f"{self.sky.recipe.name}, {pose.kind}, turned by {pose.angle_deg:g}°"
        where = (source.real, source.imag)
        shown = both if self.curves else ([], [])
        return still_lens(
            self._levels(self.image()), self.sky.half, (shown[0], shown[1]), where, bars, title
        )


def _turned(line: Array, turn: complex) -> Array:
    """Points ``(n, 2)``, turned."""
    z = (line @ np.array([1, 1j])) * turn
    return np.stack([z.real, z.imag], -1)
