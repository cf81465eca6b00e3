"""Our widgets among those of ipywidgets: boxes, links, outputs; nothing stays of closed ones."""

from __future__ import annotations

from typing import Any

import ipywidgets
import pytest
import torch
from ipywidgets.widgets.widget import _instances

from equivlab.groups import P4
from equivlab.models import smooth_network
from equivlab.widgets import RotateImage
from tests.widgets.cases import WIDGETS

TURNED = ("AccuracyVsAngle", "RotateImage", "SeeThrough")  # by one angle


def image_widget() -> RotateImage:
    images = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    return RotateImage(smooth_network(P4), images)


@pytest.mark.parametrize("name", TURNED)
def test_an_angle_can_be_seen_and_linked(name: str) -> None:
    one, other = WIDGETS[name].make(), ipywidgets.FloatSlider(max=360)
    seen: list[float] = []
    one.observe(lambda change: seen.append(change.new), "angle_deg")
    ipywidgets.link((one, "angle_deg"), (other, "value"))
    one.angle_deg = 30.0
    assert other.value == 30
    other.value = 45
    assert one.angle_deg == 45
    assert seen == [30, 45]


def test_a_page_alone_can_link_two() -> None:
    """`jslink` tells pages which traits belong together, so these must be synced."""
    one, other = image_widget(), image_widget()
    link = ipywidgets.jslink((one, "angle_deg"), (other, "angle_deg"))
    state = link.get_state()
    assert state["source"] == [f"IPY_MODEL_{one.model_id}", "angle_deg"]
    assert state["target"] == [f"IPY_MODEL_{other.model_id}", "angle_deg"]
    assert "angle_deg" in one.get_state()


def test_boxes_hold_them_and_outputs_follow_them() -> None:
    """A picture that is drawn anew whenever the hand turns the widget."""
    widget = image_widget()
    drawn: list[float] = []
    slider = ipywidgets.FloatSlider(max=360)
    ipywidgets.link((widget, "angle_deg"), (slider, "value"))
    out: Any = ipywidgets.interactive_output(lambda angle: drawn.append(angle), {"angle": slider})
    widget.angle_deg = 30.0
    assert drawn == [0, 30]
    box = ipywidgets.VBox([widget, slider, out])
    assert box.get_state()["children"][0] == f"IPY_MODEL_{widget.model_id}"


def test_nothing_stays_of_a_closed_one_but_a_layout_that_others_share() -> None:
    before = set(_instances)
    one = image_widget()
    assert set(_instances) > before
    one.close()
    assert set(_instances) == before
    shared, other = ipywidgets.Layout(width="50%"), image_widget()
    made, other.layout = other.layout, shared
    other.close()
    assert shared.model_id in _instances
    shared.close()
    made.close()
    assert set(_instances) == before
