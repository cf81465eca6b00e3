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

from equivlab.equivariance.curve import inscribed
from equivlab.groups import P4, P4M, P6, P6M, SO2, Cyclic, Dihedral, PointGroup, hexagon
from equivlab.nn import LiftingConv2d
from equivlab.projection import to_hexagons
from equivlab.widgets import FilterOrbit
from tests.widgets.chromium import in_browser
from tests.widgets.live_page import live
from tests.widgets.turning_page import TurningPage

SOURCE = """
import torch
from equivlab.groups import P4M
from equivlab.widgets import FilterOrbit
generator = torch.Generator().manual_seed(0)
filters = torch.randn(14, 3, 3, generator=generator)
FilterOrbit(filters, torch.randn(20, 20, generator=generator), group=P4M)
"""
CANVAS = ".equivlab-orbit > canvas"


def drawn() -> tuple[Tensor, Tensor]:
    """The filters and the image of the page."""
    generator = torch.Generator().manual_seed(0)
    filters = torch.randn(14, 3, 3, generator=generator)
    return filters, torch.randn(20, 20, generator=generator)


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
def test_tables_move_pixels_as_the_group_does(group: PointGroup) -> None:
    filters, image = drawn()
    widget = FilterOrbit(filters, image, group=group)
    moves = np.frombuffer(widget._image_index, np.int32).reshape(group.order, -1)
    for g in group.elements:
        moved = image.flatten()[torch.from_numpy(moves[g].copy()).long()]
        assert torch.equal(moved.view_as(image), group.move(g, image))
        assert torch.equal(widget.orbit[g], group.move(g, filters[0]))


@torch.no_grad()
@pytest.mark.parametrize("group", [P6, P6M, Cyclic(8), Dihedral(3)], ids=str)
def test_copies_are_the_filters_of_a_lifting_convolution(group: PointGroup) -> None:
    """Of hexagons cell by cell; of free turns the part that circular harmonics can make."""
    layer = LiftingConv2d(group, 1, 1, 5, bias=False)
    layer = layer.double()
    bank = layer.filters.expand(layer.weight, *layer.filters.tables().values()).float()
    widget = FilterOrbit(bank[0], group=group)  # a filter that the group can turn
    assert torch.allclose(widget.orbit, bank[:, 0], atol=1e-6)
    assert len(widget._filter_moves) == group.order * 25**2 * 4
    moves = np.frombuffer(widget._image_index, np.int32).reshape(group.order, -1)
    for g in group.elements:
        if not group.permutes(g):
            assert set(moves[g]) == {-1}
            continue
        seen = torch.from_numpy(moves[g].copy()).long()
        moved = torch.where(seen < 0, 0, widget.image.flatten()[seen.clamp_min(0)])
        assert torch.equal(moved.view_as(widget.image), group.move(g, widget.image))


def test_what_a_free_turn_cannot_make_is_left_out() -> None:
    """A checkerboard is no wave on rings that are a pixel apart; a smooth spot is."""
    axis = torch.arange(5.0)
    board = (-1) ** (axis[:, None] + axis)
    kept = FilterOrbit(board, group=Cyclic(8)).orbit[0].norm() / board.norm()
    spot = torch.exp(-((axis[:, None] - 2).square() + (axis - 2).square()) / 2)
    kept_spot = FilterOrbit(spot, group=Cyclic(8)).orbit[0].norm() / spot.norm()
    assert kept < 0.6 < 0.95 < kept_spot


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


def test_hundreds_of_filters_are_all_offered() -> None:
    assert len(FilterOrbit(torch.rand(250, 3, 3))._spec["filters"]) == 250
    with pytest.raises(ValueError, match=r"up to 1024 filters .*got 1025.*filters\[:1024\]"):
        FilterOrbit(torch.rand(1025, 3, 3))


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
        ((None, object()), TypeError, "got object"),
    ],
)
def test_bad_input(arguments: tuple[Any, ...], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        FilterOrbit(*arguments)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"group": SO2}, r"each element of a point group, at most 32; got SO2.*Cyclic\(8\)"),
        ({"group": Cyclic(64)}, "at most 32; got C64"),
        ({"group": P6, "filters": torch.rand(4, 7)}, r"got \(4, 7\).*hexagon\(k // 2\)"),
        ({"group": P6, "image": torch.rand(8, 8)}, r"acts on hexagons.*to_hexagons"),
        ({"group": P6, "image": torch.rand(9, 9)}, r"those of a square image.*to_hexagons"),
        ({"group": P6, "image": torch.zeros(99, 99)}, "radius 32 at most; got 49"),
    ],
)
def test_groups_and_hexagons_that_do_not_fit(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FilterOrbit(**options)


def test_on_hexagons_weights_stand_in_cells_alone() -> None:
    widget = FilterOrbit(torch.ones(3, 3), group=P6)
    assert widget.filter.sum() == 7
    widget.filter = torch.full((3, 3), 2.0)
    assert widget.filter.sum() == 14
    assert repr(widget) == "FilterOrbit(P6, filter 3×3, image 33×33)"
    assert base64.b64decode(widget.still()).startswith(b"\x89PNG")


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
    view.page.get_by_role("button", name="Filter 2", exact=True).click()
    assert read(view, "norms") == pytest.approx(norms(filters[1], 0), rel=1e-5)
    view.press("PageDown")  # twelve at a time
    view.page.get_by_text("filters 13 to 14 of 14").wait_for()
    view.page.get_by_role("button", name="Filter 14").click()
    assert read(view, "norms") == pytest.approx(norms(filters[13], 0), rel=1e-5)


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
@pytest.mark.parametrize(("group", "g"), [(P6M, 7), (Cyclic(8), 1)], ids=str)
def test_other_groups_in_the_page(browser: Any, group: PointGroup, g: int) -> None:
    """On hexagons exactly; where an image is resampled, as far as that goes."""
    generator = torch.Generator().manual_seed(0)
    filters, noise = (torch.randn(1, side, side, generator=generator) for side in (5, 21))
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)[0]
    image = to_hexagons(smooth, 8) if group == P6M else smooth
    widget = FilterOrbit(filters, image, group=group)
    widget.filter = widget.orbit[0]
    with live(widget) as address:
        page = browser.new_page(viewport={"width": 900, "height": 900})
        page.goto(address)
        page.wait_for_selector(f"{CANVAS}[data-painted]")
        view = TurningPage(page, CANVAS, [], False)
        for key in ("m", "ArrowRight") if g > group.turns else ("ArrowRight",):
            view.press(key)
        assert read(view, "element") == g
        layer = LiftingConv2d(group, 1, 1, 5, padding=2, bias=False)
        functions = layer.weight.shape[-1]
        if group == P6M:
            layer.weight.data.copy_(widget.filter[hexagon(2)])
        else:
            taps = layer.filters.basis.taps().view(functions, -1).float()
            layer.weight.data.copy_(widget.filter.flatten() @ torch.linalg.pinv(taps))
        field = layer.in_field
        seen = inscribed(group, 21) if group != P6M else torch.ones(())
        x = field.act(g, widget.image[None, None])
        maps = layer(x * seen.to(x))[0, 0].detach() * seen.to(x)
        wanted = maps.flatten(1).norm(dim=1).tolist()
        assert read(view, "norms") == pytest.approx(wanted, rel=1e-4)
        all_maps, alone = read(view, "errors")
        assert (all_maps < 1e-6) == (group == P6M)
        assert all_maps < 0.25 < 2 * alone
        page.close()


@in_browser
@pytest.mark.parametrize("width", [420, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(opened: Callable[..., TurningPage], width: int, scheme: str) -> None:
    opened(width, theme=scheme).check_edges(width)
