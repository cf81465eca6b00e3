"""Turn a globe with the mouse, and watch what a spherical network makes of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
import traitlets
from matplotlib import colormaps
from torch import Tensor, nn

from equivlab.so3 import SO3
from equivlab.widgets.pages import LiveView, as_bytes, page_module
from equivlab.widgets.sphere_engine import Answer, SphereEngine
from equivlab.widgets.sphere_signals import as_signals, as_texture
from equivlab.widgets.sphere_still import sphere_still

__all__ = ["RotateSphere"]

MOST_BYTES = 32_000_000
GREY = 160  # of pixels without data


class RotateSphere(LiveView):
    """A globe to grab, and beside it the features of a network that looks at it.

    The globe turns in the page. The features ask the kernel: the signal is turned exactly,
    through its spectrum, and goes through the network. One question is on its way at a time;
    when its answer comes, only the latest pose is asked for, so nothing queues up. Two views
    of the features: *as they come out*, and *turned back* (they stand still if the network is
    equivariant). Signals on SO(3) are shown at one γ, or as the maximum over γ, which turns
    like a signal on the sphere. The number is the relative error
    ``|R⁻¹Φ(R·f) − Φ(f)| / |Φ(f)|``, of what the grid holds below its bandwidth.

    Keys: arrows turn by 5°, with Shift by 45°; ``,`` and ``.`` roll; ``r`` resets; ``g`` steps
    through γ. Without a kernel, in an exported page, the globe turns and the features keep
    their last pose.

    Args:
        model: takes signals ``(B, C, 2b, 2b)`` or HEALPix maps ``(B, C, 12·nside²)``; gives
            signals on the sphere or on SO(3), or has a layer that does.
        signals: ``(N, C, 2b, 2b)`` or ``(N, C, 12·nside²)``, or a dict of single ones by name,
            see `equivlab.data.globe_signals`. They may be finer than the model's input.
        channels: which channels of the features to show.
        layer: the name of the layer to look at; by default the last that gives such signals.

    Raises:
        TypeError, ValueError: signals or a model that cannot be shown; the message says what can.

    Source:
        Cohen, Geiger, Köhler & Welling, *Spherical CNNs*, ICLR 2018.
    """

    _esm = page_module("rotate_sphere.js")

    rotation = traitlets.List(traitlets.Float(), default_value=[1.0, 0, 0, 0, 1, 0, 0, 0, 1]).tag(
        sync=True
    )
    signal = traitlets.Int(0).tag(sync=True)
    channel = traitlets.Int(0).tag(sync=True)
    gamma = traitlets.Int(-1).tag(sync=True)  # −1: the maximum
    _spec = traitlets.Dict().tag(sync=True)
    _globes = traitlets.Bytes().tag(sync=True)
    _features = traitlets.Bytes().tag(sync=True)
    _colours = traitlets.Bytes().tag(sync=True)

    def __init__(
        self,
        model: nn.Module,
        signals: Any,
        *,
        channels: Sequence[int] = (0,),
        layer: str | None = None,
    ) -> None:
        self.names, x = as_signals(signals)
        self.engine = SphereEngine(model, x, list(channels), layer)
        globes = as_texture(x)
        if globes.numel() > MOST_BYTES:
            raise ValueError(
                f"{len(x)} signals make {globes.numel() / 1e6:.0f} MB of pictures, more than "
                f"{MOST_BYTES / 1e6:.0f}. Give fewer, or coarser ones: equivlab.sphere.ud_grade"
            )
        super().__init__()
        steps, *side = self.engine.texture_shape
        self._globes = globes.numpy().tobytes()
        self._colours = _colour_tables()
        self._features = as_bytes(self.engine.turn(0, SO3.identity).levels)
        self._spec = {
            "names": self.names,
            "globe": list(globes.shape[1:]),
            "channels": list(channels),
            "steps": steps,
            "side": side,
            "layer": "" if self.engine.layer == "output" else self.engine.layer,
        }
        self.on_msg(self._hear)

    def turn(self, rotation: Tensor) -> None:
        """Turn the globe to `rotation` ``(3, 3)``, see `equivlab.so3.SO3`."""
        self.rotation = [float(v) for v in SO3.check(rotation).flatten()]

    def error(self) -> float:
        """The relative error in the present pose."""
        return self._answer().error

    def _answer(self) -> Answer:
        return self.engine.turn(self.signal, _as_rotation(self.rotation))

    def _hear(self, _widget: Any, question: Any, _buffers: Any) -> None:
        """Answer one question of the page: the features of a signal in a pose."""
        if not isinstance(question, dict) or question.get("kind") != "turn":
            return
        began = time.perf_counter()
        answer: dict[str, Any] = {"kind": "features", "id": question.get("id")}
        buffers = []
        try:
            found = self.engine.turn(question["signal"], _as_rotation(question["rotation"]))
            answer["error"] = found.error
            buffers = [as_bytes(found.levels)]
        except Exception as error:  # the page must hear of it, or it waits for ever
            answer["problem"] = f"{type(error).__name__}: {error}"
        answer["ms"] = 1e3 * (time.perf_counter() - began)
        self.send(answer, buffers)

    def __repr__(self) -> str:
        kind = f"SO(3), {steps} γ" if (steps := self.engine.texture_shape[0]) > 1 else "the sphere"
        return (
            f"RotateSphere({len(self.names)} signals, features on {kind}, "
            f"{len(self.engine.channels)} of {self.engine.out_field.channels} channels, "
            f"{self.engine.resolution})"
        )

    def still(self) -> str:
        """A PNG in base64 of what it shows now."""
        return sphere_still(self)


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
