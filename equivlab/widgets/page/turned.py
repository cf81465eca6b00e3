"""A widget of pictures under one angle: the Python side of ``page/turning_view.js``."""

from __future__ import annotations

import math
from typing import Any

import traitlets

from equivlab.widgets.page.view import LiveView

__all__ = ["TurnedPictures"]


class TurnedPictures(LiveView):
    """Pictures that turn by `angle_deg`, from 0 to 360 degrees, after a mirror or none."""

    angle_deg = traitlets.Float(0.0).tag(sync=True)
    mirror = traitlets.Bool(False).tag(sync=True)
    _spec = traitlets.Dict().tag(sync=True)
    _pictures = traitlets.Bytes().tag(sync=True)

    @traitlets.validate("angle_deg")
    def _whole_turns_off(self, proposal: Any) -> float:
        angle = float(proposal["value"])
        if not math.isfinite(angle):
            raise traitlets.TraitError(f"angle_deg is an angle in degrees; got {angle}.")
        return angle % 360.0

    def turn_to(self, part: float) -> None:
        self.angle_deg = 360.0 * part

    @property
    def pose(self) -> tuple[int, int]:
        """The mirror (0 or 1) and the number of the frame nearest to the angle."""
        steps = int(self._spec["steps"])
        mirrored = self.mirror and self._spec["mirrors"] > 1
        return int(mirrored), round(self.angle_deg * steps / 360) % steps
