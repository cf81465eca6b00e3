"""Turn a shape with the mouse, and watch a network's features in space turn with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from equivlab.data.shapes.procedural import LabelledShapes
from equivlab.equivariance import ErrorBudget, error_budget
from equivlab.widgets.page.asked import AskedView
from equivlab.widgets.page.budget import error_words
from equivlab.widgets.page.module import page_module
from equivlab.widgets.page.palette import is_equivariant, roles_of
from equivlab.widgets.page.view import as_bytes, colour_table
from equivlab.widgets.shape.glyphs import GLYPH, glyphs_of, limits_of, ranked
from equivlab.widgets.shape.inputs import as_shapes
from equivlab.widgets.shape.places import ball_size, drawn_shape, places_of, unit_positions
from equivlab.widgets.shape.poses import AZIMUTH, poses_of, quaternions_of, rotation_of
from equivlab.widgets.shape.probe import Probe, resampling_errors
from equivlab.widgets.shape.still import still_shape

__all__ = ["RotateShape"]

LEVELS = 32767  # features go to the page as 16-bit integers
MOST_BYTES = 48_000_000
MOST_KEPT = 500_000_000  # of all channels, in the kernel


class RotateShape(AskedView):
    """A shape under the hand, voxels or points, and the features in space that follow it.

    In chosen places of the shape stands what the network gives there: a scalar feature as
    colour, a vector as an arrow, a feature of degree 2 as an ellipsoid (long where its quadratic
    form is positive, thin where it is negative). Three views: the shape; the features *as they
    come out*; the features *turned back* by the inverse rotation, which stand still if the
    network is equivariant. Numbers give the relative error
    ``|Φ(R·x) − R·Φ(x)| / |Φ(x)|`` over all channels in these places, beside what resampling the
    voxels costs alone. A bar says what the number consists of: interpolation, the grid, the model
    (`error_budget`).

    With a kernel any rotation is computed as the shape turns, one at a time, the latest first.
    In an exported page the shape moves in steps through rotations that were computed before.

    The *square* shows both sides of the law: the features of the shape, turned; those of the turned
    shape; and, in the same places, what differs.

    Of many channels those are shown that vary most over the places; `page` 1 has the next of
    each kind, and so on.

    Keys: ``←`` ``→`` turn about the upright axis, ``↑`` ``↓`` tilt, ``[`` ``]`` roll, with Shift
    by 90°; ``r`` resets; ``s`` shows the square; ``PageDown`` and ``PageUp`` show other channels;
    ``f`` fills the screen; ``?`` tells all keys.

    Args:
        model: takes voxels ``(B, C, D, D, D)``, or the positions ``(N, 3)`` of one cloud; gives
            features there, or has a layer that does. A `PointNetwork` gets ones as features.
        shapes: voxels ``(N, C, D, D, D)``, ``(N, D, D, D)``, ``(D, D, D)``; clouds
            ``(N, P, 3)``, ``(P, 3)`` or a list of them; or what the data loaders give.
        compare: another network, shown below.
        layer: the name of a layer of `model` to look at instead of its output.
        compare_layer: the same for `compare`.
        irreps: what the channels are, for a layer that does not say so itself; else scalars.
        compare_irreps: the same for `compare`; ``"1x1o"`` takes three channels for a vector.
        places: how many at most.
        turns: steps of a full turn that are computed for exported pages, each at three tilts;
            0 for none.
        titles: the two names, of the model and of `compare`.

    Raises:
        TypeError, ValueError: shapes or features that cannot be shown; the message says what can.

    Source:
        Weiler et al., NeurIPS 2018; Thomas et al., *Tensor field networks*, 2018.
    """

    _esm = page_module("shape/rotate_shape.js")

    rotation = traitlets.List([1.0, 0.0, 0.0, 0.0]).tag(sync=True)  # a unit quaternion w x y z
    shape = traitlets.Int(0).tag(sync=True)
    page = traitlets.Int(0).tag(sync=True)
    square = traitlets.Bool(False).tag(sync=True)
    _shown = traitlets.Dict().tag(sync=True)  # the page whose rotations are here, what it has
    _spec = traitlets.Dict().tag(sync=True)
    _places = traitlets.Bytes().tag(sync=True)
    _drawn = traitlets.Bytes().tag(sync=True)
    _atlas = traitlets.Bytes().tag(sync=True)
    _compare_atlas = traitlets.Bytes().tag(sync=True)
    _colours = traitlets.Bytes().tag(sync=True)

    default_titles: ClassVar[tuple[str, str]] = ("SE(3)", "plain CNN")

    def __init__(
        self,
        model: nn.Module,
        shapes: Tensor | LabelledShapes | Sequence[Tensor],
        compare: nn.Module | None = None,
        *,
        layer: str | None = None,
        compare_layer: str | None = None,
        irreps: Any = None,
        compare_irreps: Any = None,
        places: int = 90,
        turns: int = 24,
        titles: tuple[str, str] | None = None,
    ) -> None:
        kind, each = as_shapes(shapes)
        spots = [places_of(shape, places) for shape in each]
        poses = poses_of(turns)
        size = sum(map(len, spots)) * len(poses) * GLYPH * 2 * (1 if compare is None else 2)
        if size > MOST_BYTES:
            raise ValueError(
                f"{len(each)} shapes at {len(poses)} rotations make {size / 1e6:.0f} MB, more than "
                f"{MOST_BYTES / 1e6:.0f}. Give fewer shapes, places or turns (0 without export)."
            )
        probes = [Probe(model, each, spots, layer, irreps)]
        if compare is not None:
            probes.append(Probe(compare, each, spots, compare_layer, compare_irreps))
        super().__init__()
        self.kind, self.shapes, self.spots = kind, each, spots
        self.poses = poses
        self.views = [_View(probe, self.poses) for probe in probes]
        own, other = self.default_titles
        self.titles = titles or (own if is_equivariant(model) else other, other)
        self.roles = roles_of([model] if compare is None else [model, compare])
        self.baselines = [self._resampling(n, self.poses) for n in range(len(each))]
        positions = [unit_positions(*pair) for pair in zip(each, spots, strict=True)]
        self.positions = positions
        self._colours = colour_table()
        self._places = as_bytes(torch.cat(positions).float())
        self._drawn = b"".join(as_bytes(drawn_shape(shape)) for shape in each)
        self._send_channels(0)
        self._spec = self._specification(turns)

    def _send_channels(self, page: int) -> None:
        """All rotations of the channels of one page."""
        for view in self.views:
            view.leaf(page)
        atlases = [view.atlas for view in self.views]
        with self.hold_sync():  # all in one message
            self._atlas = atlases[0]
            self._compare_atlas = atlases[1] if len(atlases) > 1 else b""
            self._shown = {"page": page, "views": [view.shown for view in self.views]}

    @property
    def pages(self) -> int:
        """How many pages of channels there are."""
        return max(view.pages for view in self.views)

    @traitlets.observe("page")
    def _leaf(self, change: Any) -> None:
        if 0 <= change["new"] < self.pages and change["new"] != self._shown["page"]:
            self._send_channels(change["new"])

    def _specification(self, turns: int) -> dict[str, Any]:
        """All that the page has to know beside the bytes."""
        return {
            "kind": self.kind,
            "counts": [len(spots) for spots in self.spots],
            "drawn": [drawn_shape(shape).shape[0] for shape in self.shapes],
            "sizes": [ball_size(spots) for spots in self.positions],
            "azimuth": AZIMUTH,
            "turns": turns,
            "poses": [[round(v, 9) for v in q] for q in quaternions_of(self.poses).tolist()],
            "titles": list(self.titles),
            "roles": self.roles,
            "views": [view.specification(self.baselines) for view in self.views],
            "baselines": [_rounded(errors) for errors in self.baselines],
            "levels": LEVELS,
            "pages": self.pages,
        }

    def _resampling(self, n: int, R: Tensor) -> Tensor:
        if self.kind == "points":
            return torch.zeros(len(R), dtype=torch.float64)  # points turn without it
        return resampling_errors(self.shapes[n], self.spots[n], R)

    def answer(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        n, R = int(question["shape"]), rotation_of(question["rotation"])[None]
        for view in self.views:
            view.leaf(min(max(int(question.get("page", self.page)), 0), self.pages - 1))
        readings = [view.probe.read(n, R) for view in self.views]
        resampling = self._resampling(n, R)
        content = {
            "errors": [_rounded(reading.errors)[0] for reading in readings],
            "baseline": _rounded(resampling)[0],
            "shares": [
                _shares(reading.errors, resampling, reading.finer)[0] for reading in readings
            ],
        }
        pairs = zip(self.views, readings, strict=True)
        return content, [view.quantised(reading.features) for view, reading in pairs]

    def error(self) -> float:
        """The model's relative error for the present shape and rotation."""
        R = rotation_of(self.rotation)[None]
        return float(self.views[0].probe.read(self.shape, R).errors)

    def budgets(self) -> list[ErrorBudget]:
        """What the error of each network consists of, for the present shape and rotation."""
        return [self._budget(view, rotation_of(self.rotation)) for view in self.views]

    def _budget(self, view: _View, R: Tensor) -> ErrorBudget:
        found = view.probe.read(self.shape, R[None])
        finer = None if found.finer is None else found.finer[0]
        return error_budget(found.errors[0], self._resampling(self.shape, R[None])[0], finer)

    def __repr__(self) -> str:
        beside = "" if len(self.views) == 1 else f", beside {self.titles[1]}"
        size = (len(self._atlas) + len(self._compare_atlas)) / 1e6
        return (
            f"RotateShape({len(self.shapes)} shapes of {self.kind}, {self.titles[0]}{beside}, "
            f"{len(self.poses)} rotations, {size:.1f} MB)"
        )

    def figure(self) -> Figure:
        """The shape and its features as it shows them now."""
        R = rotation_of(self.rotation)
        glyphs = []
        budgets = []
        for title, role, view in zip(self.titles, self.roles, self.views, strict=False):
            budget = self._budget(view, R)
            words = f"{title}: error {error_words(float(budget.total))}"
            glyphs.append((words, view.glyphs(self.shape, R)))
            budgets.append((title, role, budget))
        most = max(0.01, *(float(errors.max()) for view in self.views for errors in view.errors))
        return still_shape(self.positions[self.shape] @ R.mT, glyphs, budgets, most)

    def turn_to(self, part: float) -> None:
        self.rotation = [math.cos(math.pi * part), 0.0, 0.0, math.sin(math.pi * part)]

    def telling_pose(self) -> dict[str, Any]:
        half = math.sqrt(0.5)  # of a quarter turn, which voxels make without resampling
        return {"rotation": [half, 0.0, 0.0, half]}


class _View:
    """One network of the widget: which of its features are shown, and all rotations of them."""

    def __init__(self, probe: Probe, poses: Tensor) -> None:
        self.probe = probe
        self.ranks = ranked(probe.irreps, probe.rest)
        self.pages = max(1, *map(len, self.ranks))
        size = 4 * len(poses) * sum(one.numel() for one in probe.rest)
        if size > MOST_KEPT:
            raise ValueError(
                f"All channels at {len(poses)} rotations are {size / 1e6:.0f} MB, more than "
                f"{MOST_KEPT / 1e6:.0f}. Give fewer shapes, places or turns (0 without export)."
            )
        readings = [probe.read(n, poses) for n in range(len(probe.shapes))]
        self.errors = [reading.errors for reading in readings]
        self.finer = [reading.finer for reading in readings]
        self._features = [reading.features.float() for reading in readings]
        self.page = -1
        self.leaf(0)

    def leaf(self, page: int) -> None:
        """Show the channels of a page: of each kind the one that is so far down in strength."""
        if page == self.page:
            return
        self.page = page
        self.chosen = [some[page] if page < len(some) else None for some in self.ranks]
        scalar = self.chosen[0]
        rest = torch.cat([one[0] for one in self.probe.rest], 1)  # (C, places)
        # A constant does not turn: colours tell how far a scalar is from its mean at rest.
        self.middle = 0.0 if scalar is None else float(rest[scalar].mean())
        glyphs = [self._chosen_glyphs(features.double()) for features in self._features]
        self.limits = limits_of(torch.cat([one.flatten(0, 1) for one in glyphs]))
        self.atlas = b"".join(self._quantise(one) for one in glyphs)

    @property
    def shown(self) -> list[str]:
        """In words, what is drawn of the page."""
        names = ("colour", "arrows", "ellipsoids")
        return [name for name, cut in zip(names, self.chosen, strict=True) if cut]

    def quantised(self, features: Tensor) -> bytes:
        return self._quantise(self._chosen_glyphs(features))

    def _chosen_glyphs(self, features: Tensor) -> Tensor:
        glyphs = glyphs_of(features, self.chosen)
        glyphs[..., 0] -= self.middle
        return glyphs

    def glyphs(self, n: int, R: Tensor) -> Tensor:
        """What is drawn of shape `n` at one rotation, ``(N, GLYPH)``, at most 1 in size."""
        return self._scaled(self._chosen_glyphs(self.probe.read(n, R[None]).features))[0]

    def _scaled(self, glyphs: Tensor) -> Tensor:
        scale = self.limits.repeat_interleave(torch.tensor([1, 3, GLYPH - 4]))
        return (glyphs / scale).clamp(-1, 1)

    def _quantise(self, glyphs: Tensor) -> bytes:
        return as_bytes((LEVELS * self._scaled(glyphs)).round().to(torch.int16))

    def specification(self, resampling: Sequence[Tensor]) -> dict[str, Any]:
        each = zip(self.errors, resampling, self.finer, strict=True)
        return {
            "shown": self.shown,
            "irreps": str(self.probe.irreps),
            "errors": [_rounded(errors) for errors in self.errors],
            "shares": [_shares(*one) for one in each],
        }


def _shares(errors: Tensor, resampling: Tensor, finer: Tensor | None) -> list[list[float | None]]:
    """Of each rotation interpolation, grid (None where it is not known) and model."""
    return [_rounded(row) for row in error_budget(errors, resampling, finer).shares()]


def _rounded(errors: Tensor) -> list[float | None]:
    """Numbers for JSON, which has no infinity: None stands for it."""
    return [round(v, 8) if math.isfinite(v) and v < 1e6 else None for v in errors.tolist()]
