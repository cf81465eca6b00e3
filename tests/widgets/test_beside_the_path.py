"""Each widget one step beside the path: closed, copied, shown twice; other numbers and bytes."""

from __future__ import annotations

import base64
import copy
import pickle
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from nbconvert.preprocessors import ExecutePreprocessor
from torch import nn

from equivlab.data import globe_signals
from equivlab.groups import P4
from equivlab.models import smooth_network
from equivlab.nn import S2Conv, SteerableConv3d
from equivlab.widgets import (
    AccuracyVsAngle,
    FilterOrbit,
    RotateImage,
    RotateShape,
    RotateSphere,
    TrainLive,
)
from equivlab.widgets.page.export import OfflineHTMLExporter
from tests.widgets.cases import WIDGETS

ROWS = pytest.mark.parametrize("name", WIDGETS)


@pytest.fixture(scope="module")
def closed() -> dict[str, Any]:
    """Each of them, closed, with what it said before."""
    return {}


def closed_one(closed: dict[str, Any], name: str) -> tuple[Any, str, str]:
    if name not in closed:
        widget = WIDGETS[name].make()
        before = repr(widget), widget.to_html()
        widget.close()
        closed[name] = widget, *before
    found: tuple[Any, str, str] = closed[name]
    return found


@ROWS
def test_closed_it_shows_a_still_and_can_be_taken_along(name: str, closed: dict[str, Any]) -> None:
    widget, said, page = closed_one(closed, name)
    assert widget.closed
    data, _ = widget._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png"}
    assert data["text/plain"] == said
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert widget.to_html() == page
    widget.close()  # once more does nothing


@ROWS
def test_a_copy_says_what_to_do_instead(name: str, closed: dict[str, Any]) -> None:
    widget, *_ = closed_one(closed, name)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=f"cannot be copied or pickled.*another: {name}"):
            attempt(widget)


def _images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def _smooth() -> nn.Module:
    torch.manual_seed(0)
    return smooth_network(P4)


def _linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def test_bytes_in_the_other_order_are_the_same_numbers() -> None:
    """As FITS files have them, which torch does not take."""
    torch.manual_seed(0)
    sphere, voxels = S2Conv(1, 1, 4, 4), SteerableConv3d("1x0e", "1x0e", 3, padding=1)
    x, signals, grid = _images(5, 1, 8, 8), globe_signals(bandwidth=4), _images(1, 1, 6, 6, 6)
    made = []
    for order in "=>":

        def give(one: torch.Tensor, order: Any = order) -> Any:
            array = np.asarray(one)
            return array.astype(array.dtype.newbyteorder(order))

        widgets = [
            RotateImage(_smooth(), give(x)),
            RotateSphere(sphere, {name: give(one) for name, one in signals.items()}),
            RotateShape(voxels, give(grid), places=8, turns=2),
            FilterOrbit(image=give(x[0, 0])),
        ]
        made.append([widget.get_state() for widget in widgets])
        TrainLive(_linear(), (give(x), give(torch.arange(5) % 2)), epochs=1, batch_size=1)
    for one, other in zip(*made, strict=True):
        ours = {name for name in one if name not in ("layout", "_anywidget_id")}
        assert all(one[name] == other[name] for name in ours)


@pytest.mark.parametrize("change", [torch.Tensor.double, lambda x: (255 * x).to(torch.uint8)])
def test_networks_and_images_need_not_have_one_type(change: Any) -> None:
    x, labels = change(_images(5, 1, 8, 8)), torch.arange(5) % 2
    widgets = [
        RotateImage(_smooth().double(), x, _smooth()),
        AccuracyVsAngle({"plain CNN": _linear().double()}, x, labels, steps=4, progress=False),
        TrainLive(_linear().double(), (x, labels), epochs=1, batch_size=1).train(),
    ]
    assert all(widget.to_png() for widget in widgets)


def test_labels_of_another_shape_come_with_the_remedy() -> None:
    x, labels = _images(2, 1, 8, 8), torch.arange(2)
    for given, remedy in (
        (torch.eye(3)[:2], r"got \(2, 3\)\. One-hot rows become labels by labels\.argmax\(1\)"),
        (labels[:1], r"got \(1,\)\.$"),
        (labels + 0.5, r"0 to 255; got 0\.5"),
    ):
        with pytest.raises(ValueError, match=remedy):
            AccuracyVsAngle({"plain CNN": _linear()}, x, given, progress=False)


def test_nothing_is_called_nothing() -> None:
    none = torch.zeros(0, 1, 8, 8)
    for make in (
        lambda: RotateImage(_smooth(), none),
        lambda: AccuracyVsAngle({"plain CNN": _linear()}, none, torch.zeros(0), progress=False),
        lambda: TrainLive(_linear(), (none, torch.zeros(0))),
        lambda: RotateShape(SteerableConv3d("1x0e", "1x0e", 3), torch.zeros(0, 1, 6, 6, 6)),
    ):
        with pytest.raises(ValueError, match=r"takes one (image|shape) or more.*got none"):
            make()
    with pytest.raises(TypeError, match=r"got ndarray. Convert them: torch.as_tensor\(filters\)"):
        FilterOrbit(np.zeros((3, 3)))  # type: ignore[arg-type]


def test_a_widget_holds_what_it_shows_when_its_network_is_gone() -> None:
    network = _smooth()
    widget = RotateImage(network, _images(2, 1, 8, 8))
    before = widget.to_html()
    del network
    assert widget.to_html() == before


@pytest.mark.slow
def test_a_notebook_whose_widget_was_closed_is_exported() -> None:
    """What was shown before lives on in the page; shown after, it is a picture."""
    source = "from equivlab.widgets import FilterOrbit\none = FilterOrbit(); one"
    cells = [nbformat.v4.new_code_cell(each) for each in (source, "one.close()", "one")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    ExecutePreprocessor(timeout=300).preprocess(notebook)
    page, _ = OfflineHTMLExporter().from_notebook_node(notebook)
    assert page.count('class="equivlab-offline"') == 1
    assert page.count('src="data:image/png') == 1
