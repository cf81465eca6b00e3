"""FilterOrbit: its tables and messages, and its page in Chromium against a `LiftingConv2d`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from equivlab.groups import P4, P4M, PointGroup
from equivlab.nn import LiftingConv2d
from equivlab.widgets import FilterOrbit
from tests.widgets.chromium import in_browser
from tests.widgets.turning_page import TurningPage

SOURCE = """
import torch
from equivlab.groups import P4M
from equivlab.widgets import FilterOrbit
generator = torch.Generator().manual_seed(0)
filters = torch.randn(2, 3, 3, generator=generator)
FilterOrbit(filters, torch.randn(20, 20, generator=generator), group=P4M)
"""
CANVAS = ".equivlab-orbit > canvas"


def drawn() -> tuple[Tensor, Tensor]:
    """The filters and the image of the page."""
    generator = torch.Generator().manual_seed(0)
    filters = torch.randn(2, 3, 3, generator=generator)
    return filters, torch.randn(20, 20, generator=generator)


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
def test_tables_move_pixels_as_the_group_does(group: PointGroup) -> None:
    filters, image = drawn()
    widget = FilterOrbit(filters, image, group=group)
    for name, grid in (("_filter_index", filters[0]), ("_image_index", image)):
        moves = np.frombuffer(getattr(widget, name), np.int32).reshape(group.order, -1)
        for g in group.elements:
            moved = grid.flatten()[torch.from_numpy(moves[g].copy()).long()]
            assert torch.equal(moved.view_as(grid), group.move(g, grid))


def test_what_is_sent_is_what_the_page_reads() -> None:
    filters, image = drawn()
    widget = FilterOrbit(filters, image, group=P4M)
    assert np.frombuffer(widget._image, np.float32).tolist() == image.flatten().tolist()
    assert widget._spec["products"][4][1] == P4M.compose(4, 1)
    assert widget._spec["elements"][5] == "mirror, 90°"
    assert len(widget._picture) == widget._spec["picture"] ** 2 * 3
    json.dumps(widget._spec, allow_nan=False)


def test_the_filter_can_be_read_and_set() -> None:
    widget = FilterOrbit()
    assert widget.filter.shape == (5, 5)
    widget.filter = torch.eye(5)
    assert widget.weights == torch.eye(5).flatten().tolist()
    with pytest.raises(ValueError, match=r"draws filters \(5, 5\); got \(3, 3\)"):
        widget.filter = torch.eye(3)


def test_it_takes_the_filters_of_a_layer() -> None:
    layer = LiftingConv2d(P4, 3, 4, 5)
    widget = FilterOrbit(layer.weight[:, 0])
    assert torch.equal(widget.filter, layer.weight[0, 0])
    assert len(widget._spec["filters"]) == 4


def test_a_large_image_is_averaged_down() -> None:
    assert FilterOrbit(image=torch.rand(1, 100, 100)).image.shape == (64, 64)


def test_mime_bundle_and_repr() -> None:
    data, _ = FilterOrbit(group=P4M)._repr_mimebundle_()
    assert data["text/plain"] == "FilterOrbit(P4M, filter 5×5, image 32×32)"
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (([[1.0]],), TypeError, r"filters \(k, k\).*got list"),
        ((torch.zeros(4, 4),), ValueError, r"k odd and 3 to 9; got \(4, 4\)"),
        ((torch.zeros(2, 3, 5, 5),), ValueError, r"got \(2, 3, 5, 5\).*layer\.weight\[:, 0\]"),
        ((torch.zeros(0, 3, 3),), ValueError, r"got \(0, 3, 3\)"),
        ((torch.full((3, 3), torch.nan),), ValueError, "finite filters"),
        ((None, torch.zeros(2, 8, 8)), ValueError, r"one image of one channel; got \(2, 1, 8, 8\)"),
        ((None, torch.zeros(8, 9)), ValueError, "FilterOrbit takes square images"),
        ((None, "cat.png"), TypeError, "got str"),
    ],
)
def test_bad_input(arguments: tuple[Any, ...], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        FilterOrbit(*arguments)


# --- in the browser ---------------------------------------------------------------------------


def read(view: TurningPage, name: str) -> Any:
    view.settle()
    return json.loads(view.canvas.get_attribute(f"data-{name}"))


@torch.no_grad()
def norms(filter: Tensor, g: int) -> list[float]:
    """Of the maps of a lifting convolution of the image, acted on."""
    layer = LiftingConv2d(P4M, 1, 1, 3, padding=1, bias=False)
    layer.weight.copy_(filter[None, None])
    return layer(P4M.move(g, drawn()[1])[None, None])[0, 0].flatten(1).norm(dim=1).tolist()


@in_browser
def test_the_maps_are_those_of_a_lifting_convolution(opened: Callable[..., TurningPage]) -> None:
    view = opened()
    filters, _ = drawn()
    assert read(view, "norms") == pytest.approx(norms(filters[0], 0), rel=1e-5)
    view.press("ArrowRight")
    view.press("m")
    g = P4M.compose(4, 1)
    assert read(view, "element") == g
    assert read(view, "norms") == pytest.approx(norms(filters[0], g), rel=1e-5)
    all_maps, alone = read(view, "errors")
    assert all_maps < 1e-6
    assert alone > 0.3
    view.press("r")
    assert read(view, "errors") == [0, 0]
    view.page.get_by_role("button", name="Filter 2").click()
    assert read(view, "norms") == pytest.approx(norms(filters[1], 0), rel=1e-5)


@in_browser
def test_painting(opened: Callable[..., TurningPage]) -> None:
    """By the pointer and by keys, on the copies and on their maps at once."""
    view = opened()
    view.page.get_by_role("button", name="Blank").click()
    assert read(view, "norms") == [0.0] * 8
    assert read(view, "errors") == [0, 0]
    grid, box = read(view, "grid"), view.canvas.bounding_box()
    step = grid["side"] / 3
    x, y = box["x"] + grid["x"] + step / 2, box["y"] + grid["y"] + step / 2
    view.page.mouse.move(x, y)
    view.page.mouse.down()
    view.page.mouse.move(x + step, y, steps=4)
    view.page.mouse.up()
    for key in ("s", "-", " "):  # one down, a brush of -1
        view.press(key)
    wanted = torch.tensor([[1.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 0.0]])
    assert read(view, "norms") == pytest.approx(norms(wanted, 0), rel=1e-5)
    assert view.save().size[0] > 600


@in_browser
@pytest.mark.parametrize("width", [420, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(opened: Callable[..., TurningPage], width: int, scheme: str) -> None:
    opened(width, color_scheme=scheme).check_edges(width)
