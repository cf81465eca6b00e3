"""Turn an image with the mouse, and watch the feature maps of a network turn with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from equivlab.equivariance import ErrorBudget, audit, error_budget
from equivlab.fields import RegularMaps
from equivlab.widgets.breaking import WAYS, broken
from equivlab.widgets.image.atlas import (
    Atlas,
    atlas_bytes,
    first_channels,
    frequencies_of,
    make_atlas,
)
from equivlab.widgets.image.poses import all_poses, baseline, poses, steps_of, unturn_matrices
from equivlab.widgets.image.still import still_image
from equivlab.widgets.page.acting import Acting, image_field, on_hexagons, own_group, planar_group
from equivlab.widgets.page.budget import error_words
from equivlab.widgets.page.images import as_images, for_network
from equivlab.widgets.page.module import page_module
from equivlab.widgets.page.palette import is_equivariant, roles_of
from equivlab.widgets.page.pictures import PICTURE, picture_bytes
from equivlab.widgets.page.turned import TurnedPictures
from equivlab.widgets.page.view import as_bytes, colour_table

__all__ = ["RotateImage"]

MOST_BYTES = 48_000_000
MANY_BYTES = 16_000_000  # sent of more channels than one page shows
MOST_KEPT = 500_000_000  # of all channels, in the kernel
FIRST = 2  # channels of which nobody says which
ROWS = 4  # channels on show at once, as in the page
MOST_IN_A_ROW = 8  # orientations; more stand on a dial


class RotateImage(TurnedPictures):
    """An image under a handle, and the feature maps that follow it.

    All frames are computed once, when the widget is made, and sent to the page; turning needs
    no kernel afterwards, so it also works in an exported page. Three views under one handle:
    the maps *as they come out* (the orientations change places), the same maps *stabilised*
    (turned back and permuted back: they stand still if the network is equivariant), and a
    plain network beside them. A number and a curve give the relative error
    ``|Φ(g·x) − g·Φ(x)| / |Φ(x)|`` in the inscribed circle. The *square* shows both sides of the
    law as two ways, and between them the difference. On the `dial` each orientation stands at its
    own angle, mirrored ones inside: the dial turns with the image. A bar says what the error
    consists of: interpolation, the grid, the model (`error_budget`).

    Maps of `P6` and `P6M` are drawn as hexagons; the pairs of channels of `SO2` and `O2` as arrows
    with as many points as their frequency, which are sent in the place of orientations.

    Keys: ``→`` turns by 5° counter-clockwise, ``←`` back, with Shift by 90° (on hexagons 60°),
    ``.`` and ``,`` by 1°; ``r`` resets; ``m`` mirrors; ``s`` shows the square; ``o`` puts the
    orientations on a dial; ``PageDown`` and ``PageUp`` leaf through more than four channels; ``f``
    fills the screen; ``?`` tells all keys.

    Args:
        model: takes the images; gives maps ``(B, C, G, H, H)`` or ``(B, C, H, H)``.
        images: ``(N, C, H, H)``, ``(N, H, H)``, or a list of pictures; see `as_images`. For
            networks on hexagons ``(N, C, 2R + 1, 2R + 1)``, from `equivlab.projection.to_hexagons`.
        compare: another network, shown beside it.
        group: acts on the images; by default the model's own (its ``in_field``), else `P4`.
        channels: which channels of the model to show: four at a time, `page` says which four. By
            default the first two, or the one that there is. Of very many, those around the page on
            show are sent; the kernel keeps the others.
        compare_channels: the same for `compare`; by default as many, if there are.
        layer: the name of a layer of `model` to look at instead of its output.
        compare_layer: the same for `compare`.
        titles: the two names, of the model and of `compare`.
        breakable: whether there is a menu that breaks the network on purpose, in the ways of
            `broken`, and says what `audit` names as the cause.

    Raises:
        TypeError, ValueError: images or maps that cannot be shown; the message says what can.

    Source:
        Cohen & Welling, ICML 2016; the stabilised view after Weiler & Cesa, NeurIPS 2019.
    """

    _esm = page_module("image/rotate_image.js")

    image = traitlets.Int(0).tag(sync=True)
    page = traitlets.Int(0).tag(sync=True)
    square = traitlets.Bool(False).tag(sync=True)
    dial = traitlets.Bool(False).tag(sync=True)
    breakable = traitlets.Bool(False).tag(sync=True)
    broken = traitlets.Enum(["", *WAYS], "").tag(sync=True)
    _first = traitlets.Int(0).tag(sync=True)  # of the channels that are sent
    _maps = traitlets.Bytes().tag(sync=True)
    _compare_maps = traitlets.Bytes().tag(sync=True)
    _colours = traitlets.Bytes().tag(sync=True)

    default_titles: ClassVar[tuple[str, str]] = ("equivariant", "plain CNN")

    def __init__(
        self,
        model: nn.Module,
        images: Any,
        compare: nn.Module | None = None,
        *,
        group: Acting | None = None,
        channels: Sequence[int] | None = None,
        compare_channels: Sequence[int] | None = None,
        layer: str | None = None,
        compare_layer: str | None = None,
        titles: tuple[str, str] | None = None,
        breakable: bool = False,
    ) -> None:
        x = for_network(as_images(images), model, "RotateImage")
        group = planar_group(group or own_group(model), "RotateImage")
        image_field(group, x.shape[1]).validate(x, "RotateImage")
        channels = first_channels(model, x, group, FIRST, layer) if channels is None else channels
        shown = list(compare_channels or ())
        if compare is not None and compare_channels is None:
            shown = first_channels(compare, x, group, len(channels), compare_layer)
        each = atlas_bytes(model, x, group, 1, layer)
        other_each = 0 if compare is None else atlas_bytes(compare, x, group, 1, compare_layer)
        self.window = _window(len(x), each, other_each, len(channels), len(shown))
        atlas = make_atlas(model, x, group, channels, layer)
        other = None
        if compare is not None:
            other = make_atlas(compare, x, group, shown, compare_layer)
        super().__init__(breakable=breakable)
        self.atlas, self.compare_atlas, self.images = atlas, other, x
        own = group.name if is_equivariant(model) else self.default_titles[1]
        self.titles = titles or (own, self.default_titles[1])
        self.roles = roles_of([model] if compare is None else [model, compare])
        self.baseline = baseline(x, group)
        self._whole = (model, group, list(channels), layer)
        self._compare_channels = shown
        self._colours = colour_table()
        self._pictures = picture_bytes(x, hexagons=on_hexagons(group))
        self._send_channels(0)
        self.dial = atlas.pixels.shape[4] > MOST_IN_A_ROW
        self._spec = self._specification(group, list(channels), "")

    def _send_channels(self, first: int) -> None:
        """The frames of the channels from `first` on, as many as go to the page at once."""
        some = slice(first, first + self.window)
        other = self.compare_atlas
        with self.hold_sync():  # all in one message
            self._maps = as_bytes(self.atlas.pixels[:, :, :, some])
            self._compare_maps = b"" if other is None else as_bytes(other.pixels[:, :, :, some])
            self._first = first

    @traitlets.observe("broken")
    def _break(self, change: Any) -> None:
        """All frames anew, of a copy that is broken, and why the law fails for it."""
        model, group, channels, layer = self._whole
        cause = ""
        try:
            model = broken(model, change["new"]) if change["new"] else model
        except ValueError as error:  # the page asked for what this network has not
            cause = f"not broken: {error}"
        if change["new"] and not cause:
            image = self.images[:1].to(next(model.parameters(), self.images))
            cause = audit(model, image, group, angles=0).cause
        self.atlas = make_atlas(model, self.images, group, channels, layer)
        with self.hold_sync():
            self._send_channels(self._first)
            self._spec = self._specification(group, channels, cause)

    @traitlets.observe("page")
    def _leaf(self, change: Any) -> None:
        first = max(change["new"], 0) * ROWS
        most = max(one.pixels.shape[3] for one in (self.atlas, self.compare_atlas) if one)
        if first < most and not self._first <= first < self._first + self.window:
            self._send_channels(first // self.window * self.window)

    def _specification(self, group: Acting, channels: list[int], cause: str) -> dict[str, Any]:
        """All that the page has to know beside the pixels."""
        field = self.atlas.field
        acting = field.group if isinstance(field, RegularMaps) else None
        other, shown = self.compare_atlas, self._compare_channels
        mixing = _Mixing(group)
        return {
            "steps": steps_of(group),
            "turns": getattr(group, "turns", 4),
            "hexagons": on_hexagons(group),
            "images": len(self.images),
            "picture": PICTURE,
            "mirrors": 2 if group.has_mirror else 1,
            "channels": channels,
            "elements": [acting.element_name(g) for g in acting.elements] if acting else [""],
            **_told(self.atlas, channels, mixing, self.baseline),
            "titles": list(self.titles),
            "roles": self.roles,
            "broken": self.broken,
            "cause": cause,
            "baseline": [_rounded(e.flatten(), 8) for e in self.baseline],
            "compare": None
            if other is None
            else {"channels": len(shown), **_told(other, shown, mixing, self.baseline)},
            "unturns": mixing.tables,
        }

    def telling_pose(self) -> dict[str, Any]:
        return {"angle_deg": 360.0 / self._spec["turns"]}  # an element of the group

    def error(self) -> float:
        """The model's relative error at the present image, mirror and (nearest) angle."""
        return float(self.atlas.errors[self.image, *self.pose])

    def budget(self, *, compare: bool = False) -> ErrorBudget:
        """What that error consists of; or the error of the network beside it."""
        atlas = self.compare_atlas if compare else self.atlas
        if atlas is None:
            raise ValueError("There is no network beside this one: RotateImage(..., compare=...).")
        at = (self.image, *self.pose)
        finer = None if atlas.finer is None else atlas.finer[at]
        return error_budget(atlas.errors[at], self.baseline[at], finer)

    def __repr__(self) -> str:
        beside = "" if self.compare_atlas is None else f", beside {self.titles[1]}"
        size = (len(self._maps) + len(self._compare_maps)) / 1e6
        return (
            f"RotateImage({len(self.images)} images, {self.titles[0]}{beside}, "
            f"{self._spec['steps']} angles, {size:.1f} MB)"
        )

    def figure(self) -> Figure:
        """The image and its maps as it shows them now."""
        maps = self.atlas.pixels[self.image, *self.pose]
        first = min(max(self.page, 0), (len(maps) - 1) // ROWS) * ROWS
        shown = maps[first : first + ROWS]
        image = self.images[self.image]
        which = f", channels {first + 1} to {first + len(shown)} of {len(maps)}"
        title = self.titles[0] + (which if len(maps) > ROWS else "")
        side, step = self.pose
        group = self._whole[1]
        field, frame = image_field(group, len(image)), side * steps_of(group) + step
        turned = all_poses(field, image[None], slice(frame, frame + 1))[0]
        angle = 360 * step / steps_of(group)
        title += f", {angle:.4g}°: relative error {error_words(self.error())}"
        atlases = [one for one in (self.atlas, self.compare_atlas) if one]
        budgets = [self.budget(compare=n > 0) for n in range(len(atlases))]
        rows = list(zip(self.titles, self.roles, budgets, strict=False))
        most = max(float(one.errors[self.image].max()) for one in atlases)
        return still_image(turned, shown, title, rows, most, hexagons=on_hexagons(group))


class _Mixing:
    """Tables of matrices that mix the maps of a channel back, in each frame; each kind once."""

    def __init__(self, group: Acting) -> None:
        self.group = group
        self.tables: list[list[list[float | None]]] = []
        self.kinds: dict[Any, int] = {}

    def kind(self, atlas: Atlas, irrep: tuple[int, int] | None) -> int:
        """The number of the table for a channel of these maps."""
        size = atlas.pixels.shape[4]
        key = irrep or size
        if key not in self.kinds:
            if irrep is not None:
                matrices = unturn_matrices(self.group, *irrep)
            elif isinstance(atlas.field, RegularMaps):
                matrices = unturn_matrices(self.group)
            else:
                matrices = torch.ones(len(poses(self.group)), 1, 1)
            self.kinds[key] = len(self.tables)
            self.tables.append([_rounded(m.flatten(), 6) for m in matrices])
        return self.kinds[key]


def _told(atlas: Atlas, channels: list[int], mixing: _Mixing, resampling: Tensor) -> dict[str, Any]:
    """What the page has to know of one network's maps."""
    irreps = frequencies_of(atlas.field, channels)
    each: Sequence[tuple[int, int] | None] = irreps or [None] * len(channels)
    budget = error_budget(atlas.errors, resampling, atlas.finer)
    return {
        "orientations": atlas.pixels.shape[4],
        "side": atlas.pixels.shape[-1],
        "errors": [_rounded(e.flatten(), 8) for e in atlas.errors],
        "interpolation": [_rounded(e.flatten(), 6) for e in budget.interpolation],
        "grid": [_rounded(e.flatten(), 6) for e in budget.grid],  # None: not told from the model's
        "kinds": [mixing.kind(atlas, irrep) for irrep in each],
        "frequencies": irreps and [frequency for frequency, _ in irreps],
    }


def _window(images: int, each: int, other_each: int, channels: int, others: int) -> int:
    """How many channels go to the page at once: all, or as many whole pages as may be sent.

    Args:
        images: how many.
        each: bytes of a channel of the model, in all frames of all images.
        other_each: the same of the other network.
        channels: of the model.
        others: of the other network.

    Raises:
        ValueError: one page is too much, or all of them to keep.
    """
    sent = min(channels, ROWS) * each + min(others, ROWS) * other_each
    kept = channels * each + others * other_each
    for size, most in ((sent, MOST_BYTES), (kept, MOST_KEPT)):
        if size > most:  # before anything is made
            raise ValueError(
                f"{images} images with {channels} channels make {size / 1e6:.0f} MB of "
                f"frames, more than {most / 1e6:.0f}. Give fewer images or channels."
            )
    most_channels = max(channels, others)
    if most_channels <= ROWS or kept <= MANY_BYTES:
        return most_channels
    return max(1, MANY_BYTES // (ROWS * (each + other_each))) * ROWS


def _rounded(values: Tensor, digits: int) -> list[float | None]:
    """Numbers for JSON, which has no infinity: None stands for it."""
    return [round(v, digits) if math.isfinite(v) else None for v in values.tolist()]
