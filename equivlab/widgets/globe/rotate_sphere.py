"""Turn a globe with the mouse, and watch what a spherical network makes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import traitlets
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor, nn

from equivlab.equivariance import ErrorBudget
from equivlab.so3 import SO3
from equivlab.widgets.globe.engine import SphereEngine
from equivlab.widgets.globe.recorded import Recorded, record_poses
from equivlab.widgets.globe.signals import as_signals, as_texture
from equivlab.widgets.globe.still import still_sphere
from equivlab.widgets.page.asked import AskedView
from equivlab.widgets.page.module import page_module
from equivlab.widgets.page.palette import is_equivariant, roles_of
from equivlab.widgets.page.view import as_bytes

__all__ = ["RotateSphere"]

MOST_BYTES = 32_000_000
GREY = 160  # of pixels without data


class RotateSphere(AskedView):
    """A globe to grab, and beside it the features of a network that looks at it.

    The globe turns in the page. The features ask the kernel: the signal is turned exactly,
    through its spectrum, and goes through the network. Only the latest pose is asked for, and of
    quick answers at most three are awaited, so nothing queues up. Two views
    of the features: *as they come out*, and *turned back* (they stand still if the network is
    equivariant). Signals on SO(3) are shown at one γ, or as the maximum over γ, which turns
    like a signal on the sphere. The number is the relative error
    ``|R⁻¹Φ(R·f) − Φ(f)| / |Φ(f)|``, of what the grid holds below its bandwidth; a curve keeps all
    that were seen, against the angle of the rotation. A bar says what it consists of, at rest:
    interpolation (of HEALPix pixels), the grid (degrees above the bandwidth), the model.

    The *square* shows both sides of the law: the features at rest, turned; those of the turned
    signal; and on one sphere what differs. Of features on SO(3) it takes the maximum over γ.

    Without a kernel, in an exported page, the globe turns about its axis in steps that were
    computed before. Where those would be too many bytes, it turns freely, the features keep
    their last pose, and the page says so.

    Keys: arrows turn by 5°, with Shift by 45°; ``,`` and ``.`` roll; ``r`` resets; ``g`` steps
    through γ; ``s`` shows the square; ``PageDown`` and ``PageUp`` step through the channels; ``f``
    fills the screen; ``?`` tells all keys.

    Args:
        model: takes signals ``(B, C, 2b, 2b)`` or HEALPix maps ``(B, C, 12·nside²)``; gives
            signals on the sphere or on SO(3), or has a layer that does.
        signals: ``(N, C, 2b, 2b)`` or ``(N, C, 12·nside²)``, or a dict of single ones by name,
            see `equivlab.data.globe_signals`. They may be finer than the model's input.
        compare: another network, shown below.
        channels: which channels of the features to show, one at a time.
        compare_channels: the same for `compare`; by default as many, from the first.
        layer: the name of the layer to look at; by default the last that gives such signals.
        compare_layer: the same for `compare`.
        turns: steps of a full turn that are computed for pages without a kernel; 0 for none.
        titles: the two names, of the model and of `compare`.

    Raises:
        TypeError, ValueError: signals or a model that cannot be shown; the message says what can.

    Source:
        Cohen, Geiger, Köhler & Welling, *Spherical CNNs*, ICLR 2018.
    """

    _esm = page_module("globe/rotate_sphere.js")

    rotation = traitlets.List(traitlets.Float(), default_value=[1.0, 0, 0, 0, 1, 0, 0, 0, 1]).tag(
        sync=True
    )
    signal = traitlets.Int(0).tag(sync=True)
    channel = traitlets.Int(0).tag(sync=True)
    gamma = traitlets.Int(-1).tag(sync=True)  # −1: the maximum
    square = traitlets.Bool(False).tag(sync=True)
    _spec = traitlets.Dict().tag(sync=True)
    _globes = traitlets.Bytes().tag(sync=True)
    _features = traitlets.Bytes().tag(sync=True)
    _compare_features = traitlets.Bytes().tag(sync=True)
    _colours = traitlets.Bytes().tag(sync=True)

    default_titles: ClassVar[tuple[str, str]] = ("spherical", "plain CNN")

    def __init__(
        self,
        model: nn.Module,
        signals: Any,
        compare: nn.Module | None = None,
        *,
        channels: Sequence[int] = (0,),
        compare_channels: Sequence[int] | None = None,
        layer: str | None = None,
        compare_layer: str | None = None,
        turns: int = 12,
        titles: tuple[str, str] | None = None,
    ) -> None:
        self.names, x = as_signals(signals)
        self.engine = SphereEngine(model, x, list(channels), layer)
        self.engines = [self.engine]
        if compare is not None:
            others = list(range(len(channels)) if compare_channels is None else compare_channels)
            self.engines.append(SphereEngine(compare, x, others, compare_layer))
        networks = [model] if compare is None else [model, compare]
        globes = as_texture(x)
        if globes.numel() > MOST_BYTES:
            raise ValueError(
                f"{len(x)} signals make {globes.numel() / 1e6:.0f} MB of pictures, more than "
                f"{MOST_BYTES / 1e6:.0f}. Give fewer, or coarser ones: equivlab.sphere.ud_grade"
            )
        super().__init__()
        self._globes = globes.numpy().tobytes()
        self._colours = _colour_tables()
        recorded = record_poses(self.engines, len(x), turns)
        self._features = as_bytes(recorded.levels[0])
        self._compare_features = b"" if compare is None else as_bytes(recorded.levels[1])
        own, other = self.default_titles
        self.titles = titles or (own if is_equivariant(model) else other, other)
        self.roles = roles_of(networks)
        self._spec = {
            "names": self.names,
            "globe": list(globes.shape[1:]),
            "channels": list(channels),
            "poses": [pose.flatten().tolist() for pose in recorded.poses],
            "views": [self._view(n, role, recorded) for n, role in enumerate(self.roles)],
        }

    def _view(self, n: int, role: tuple[str, int], recorded: Recorded) -> dict[str, Any]:
        """What the page has to know of one network."""
        engine = self.engines[n]
        steps, *side = engine.texture_shape
        return {
            "title": self.titles[n],
            "role": role,
            "layer": "" if engine.layer == "output" else engine.layer,
            "steps": steps,
            "side": side,
            "channels": len(engine.channels),
            "recorded": min(recorded.channels, len(engine.channels)),
            "errors": recorded.errors[n].tolist(),
            "shares": _shares_of(recorded.shares[n]),
        }

    def turn(self, rotation: Tensor) -> None:
        """Turn the globe to `rotation` ``(3, 3)``, see `equivlab.so3.SO3`."""
        self.rotation = [float(v) for v in SO3.check(rotation).flatten()]

    def turn_to(self, part: float) -> None:
        self.turn(SO3.from_zyz(2 * math.pi * part, 0.0, 0.0))

    def telling_pose(self) -> dict[str, Any]:
        R = SO3.from_zyz(0.0, math.pi / 4, math.pi / 4)  # the poles leave their places
        return {"rotation": [float(v) for v in R.flatten()]}

    def error(self) -> float:
        """The relative error in the present pose."""
        return self.engine.turn(self.signal, _as_rotation(self.rotation)).error

    def budgets(
        self, signal: int | None = None, rotation: Tensor | None = None
    ) -> list[ErrorBudget]:
        """What the error of each network consists of, in the present pose or another."""
        n = self.signal if signal is None else signal
        R = _as_rotation(self.rotation) if rotation is None else rotation
        return [one.budget(n, R, one.error(n, R)) for one in self.engines]

    def answer(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        rotation = _as_rotation(question["rotation"])
        if question.get("budget"):
            budgets = self.budgets(question["signal"], rotation)
            return {"shares": [_shares_of(one.shares()) for one in budgets]}, []
        place = int(question.get("channel", self.channel))
        found = [
            engine.turn(question["signal"], rotation, [_within(place, len(engine.channels))])
            for engine in self.engines
        ]
        shares = [
            _shares_of(engine.budget(question["signal"], rotation, one.error).shares())
            if engine.finer_is_free
            else None
            for engine, one in zip(self.engines, found, strict=True)
        ]
        content = {"errors": [one.error for one in found], "shares": shares}
        return content, [as_bytes(one.levels) for one in found]

    def __repr__(self) -> str:
        kind = f"SO(3), {steps} γ" if (steps := self.engine.texture_shape[0]) > 1 else "the sphere"
        beside = "" if len(self.engines) == 1 else f", beside {self.titles[1]}"
        return (
            f"RotateSphere({len(self.names)} signals, features on {kind}, "
            f"{len(self.engine.channels)} of {self.engine.out_field.channels} channels, "
            f"{self.engine.resolution}{beside})"
        )

    def figure(self) -> Figure:
        """The globe and its features as it shows them now."""
        rotation = _as_rotation(self.rotation)
        globes = torch.frombuffer(bytearray(self._globes), dtype=torch.uint8)
        globe = globes.view(len(self.names), *self._spec["globe"])[self.signal]
        rows, budgets = [], []
        for title, role, engine in zip(self.titles, self.roles, self.engines, strict=False):
            place = _within(self.channel, len(engine.channels))
            found = engine.turn(self.signal, rotation, [place])
            levels = found.levels[:, 0]
            shown = levels.amax(1) if self.gamma < 0 else levels[:, self.gamma % levels.shape[1]]
            budgets.append((title, role, engine.budget(self.signal, rotation, found.error)))
            rows.append((title if len(self.engines) > 1 else "", found.error, shown))
        return still_sphere(globe, rows, rotation, budgets)


def _shares_of(shares: Tensor | None) -> Any:
    """As lists for JSON, which has no NaN."""
    if shares is None or not shares.dim():
        return None if shares is None or not math.isfinite(shares) else round(float(shares), 8)
    return [_shares_of(one) for one in shares]


def _within(place: int, count: int) -> int:
    return min(max(place, 0), count - 1)


def _as_rotation(values: Sequence[float]) -> Tensor:
    """The rotation nearest to nine numbers that a page has multiplied many times."""
    matrix = torch.tensor([float(v) for v in values], dtype=torch.float64).view(3, 3)
    U, _, V = torch.linalg.svd(matrix)
    return SO3.check(U @ V)


def _colour_tables() -> bytes:
    """Twice 256 colours, for the globe and for the features; both safe for colour-blind eyes."""
    tables = []
    for name in ("cividis", "RdBu_r"):
        table = torch.tensor(colormaps[name](range(256)))[:, :3] * 255
        table[255] = GREY
        tables.append(table.round().to(torch.uint8))
    return as_bytes(torch.cat(tables))
