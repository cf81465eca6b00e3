"""Turn an image with the mouse, and watch the feature maps of a network turn with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import traitlets
from torch import Tensor, nn

from equivlab.fields import RegularMaps
from equivlab.groups import P4, PointGroup
from equivlab.widgets.atlas import STEPS, baseline, make_atlas, poses, unturn_matrices
from equivlab.widgets.images import as_images
from equivlab.widgets.pages import LiveView, as_bytes, colour_table, page_module
from equivlab.widgets.pictures import PICTURE, picture_bytes
from equivlab.widgets.still import still_picture

__all__ = ["RotateImage"]

MOST_BYTES = 48_000_000


class RotateImage(LiveView):
    """An image under a handle, and the feature maps that follow it.

    All frames are computed once, when the widget is made, and sent to the page; turning needs
    no kernel afterwards, so it also works in an exported page. Three views under one handle:
    the maps *as they come out* (the orientations change places), the same maps *stabilised*
    (turned back and permuted back: they stand still if the network is equivariant), and a
    plain network beside them. A number and a curve give the relative error
    ``|Φ(g·x) − g·Φ(x)| / |Φ(x)|`` in the inscribed circle.

    Keys: ``→`` turns by 5° counter-clockwise, ``←`` back, with Shift by 90°; ``r`` resets;
    ``m`` mirrors.

    Args:
        model: takes the images; gives maps ``(B, C, G, H, H)`` or ``(B, C, H, H)``.
        images: ``(N, C, H, H)``, ``(N, H, H)``, or a list of pictures; see `as_images`.
        compare: another network, shown beside it.
        group: acts on the images; by default the model's own (its ``in_field``), else `P4`.
        channels: which channels of the model to show.
        compare_channels: the same for `compare`; by default as many, from the first.
        layer: the name of a layer of `model` to look at instead of its output.
        compare_layer: the same for `compare`.
        titles: the two names, of the model and of `compare`.

    Raises:
        TypeError, ValueError: images or maps that cannot be shown; the message says what can.

    Source:
        Cohen & Welling, ICML 2016; the stabilised view after Weiler & Cesa, NeurIPS 2019.
    """

    _esm = page_module("turning_view.js", "rotate_image.js")

    angle_deg = traitlets.Float(0.0).tag(sync=True)
    mirror = traitlets.Bool(False).tag(sync=True)
    image = traitlets.Int(0).tag(sync=True)
    _spec = traitlets.Dict().tag(sync=True)
    _pictures = traitlets.Bytes().tag(sync=True)
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
        group: PointGroup | None = None,
        channels: Sequence[int] = (0, 1),
        compare_channels: Sequence[int] | None = None,
        layer: str | None = None,
        compare_layer: str | None = None,
        titles: tuple[str, str] | None = None,
    ) -> None:
        x = as_images(images)
        group = group or _group_of(model)
        atlas = make_atlas(model, x, group, channels, layer)
        other = None
        if compare is not None:
            chosen = range(len(channels)) if compare_channels is None else compare_channels
            other = make_atlas(compare, x, group, list(chosen), compare_layer)
        size = atlas.pixels.numel() + (0 if other is None else other.pixels.numel())
        if size > MOST_BYTES:
            raise ValueError(
                f"{len(x)} images with {len(channels)} channels make {size / 1e6:.0f} MB of "
                f"frames, more than {MOST_BYTES / 1e6:.0f}. Give fewer images or channels."
            )
        super().__init__()
        self.atlas, self.compare_atlas, self.images = atlas, other, x
        self.titles = titles or (group.name, self.default_titles[1])
        self.baseline = baseline(x, group)
        self._colours = colour_table()
        self._pictures = picture_bytes(x)
        self._maps = as_bytes(atlas.pixels)
        self._compare_maps = b"" if other is None else as_bytes(other.pixels)
        self._spec = self._specification(group, list(channels))

    def _specification(self, group: PointGroup, channels: list[int]) -> dict[str, Any]:
        """All that the page has to know beside the pixels."""
        regular = isinstance(self.atlas.field, RegularMaps)
        unturn = unturn_matrices(group) if regular else torch.ones(len(poses(group)), 1, 1)
        other = self.compare_atlas
        return {
            "steps": STEPS,
            "images": len(self.images),
            "picture": PICTURE,
            "mirrors": 2 if group.has_mirror else 1,
            "channels": channels,
            "elements": [group.element_name(g) for g in group.elements] if regular else [""],
            "side": self.atlas.pixels.shape[-1],
            "unturn": [_rounded(m.flatten(), 6) for m in unturn],
            "titles": list(self.titles),
            "errors": [_rounded(e.flatten(), 8) for e in self.atlas.errors],
            "baseline": [_rounded(e.flatten(), 8) for e in self.baseline],
            "compare": None
            if other is None
            else {
                "channels": other.pixels.shape[3],
                "orientations": other.pixels.shape[4],
                "side": other.pixels.shape[-1],
                "errors": [_rounded(e.flatten(), 8) for e in other.errors],
            },
        }

    def error(self) -> float:
        """The model's relative error at the present image, mirror and (nearest) angle."""
        step = round(self.angle_deg * STEPS / 360) % STEPS
        return float(self.atlas.errors[self.image, int(self.mirror), step])

    def __repr__(self) -> str:
        beside = "" if self.compare_atlas is None else f", beside {self.titles[1]}"
        return (
            f"RotateImage({len(self.images)} images, {self.titles[0]}{beside}, "
            f"{STEPS} angles, {(len(self._maps) + len(self._compare_maps)) / 1e6:.1f} MB)"
        )

    def still(self) -> str:
        """A PNG in base64 of what it shows now."""
        return still_picture(self)


def _group_of(model: nn.Module) -> PointGroup:
    """The group of the first layer that has a field; P4 if none has."""
    for module in model.modules():
        field = getattr(module, "in_field", None)
        if field is not None:
            group: PointGroup = field.group
            return group
    return P4


def _rounded(values: Tensor, digits: int) -> list[float | None]:
    """Numbers for JSON, which has no infinity: None stands for it."""
    return [round(v, digits) if math.isfinite(v) else None for v in values.tolist()]
