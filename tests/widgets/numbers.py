"""What the numbers of each widget must be: from the law and the networks, not from the widget."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from equivlab import SO3, audit
from equivlab.equivariance import equivariance_error
from equivlab.fields import IrrepMaps, RegularMaps, RotationMaps, ScalarMaps, SphereMaps
from equivlab.groups import P4M
from equivlab.nn import LiftingConv2d
from equivlab.training import accuracy, accuracy_vs_angle, fit

Networks = dict[str, nn.Module]
SAID = r"(0 \(exact\)|[\d.]+(?:e-\d+)?)"
EXACT = 1e-5  # what is less is said to be exact


@dataclass(frozen=True)
class Number:
    """A number that stands in a page.

    Attributes:
        words: a pattern of what is written, the number in its only group.
        value: what it must be.
        unit: of the last digit that is written; 0 for two digits, whatever the size.
    """

    words: str
    value: float
    unit: float = 0.0

    def is_said(self, labels: Iterable[str]) -> bool:
        """Whether it is written, and right to the digits that are."""
        found = [match[1] for label in labels if (match := re.fullmatch(self.words, label))]
        return bool(found) and all(map(self._fits, found))

    def _fits(self, said: str) -> bool:
        if said in ("0", "0 (exact)"):
            return self.value < EXACT
        unit = self.unit or 10.0 ** (math.floor(math.log10(max(self.value, EXACT))) - 1)
        return abs(float(said) - self.value) <= 0.505 * unit


def _error(words: str, value: float) -> Number:
    return Number(f"{re.escape(words)}: {SAID}", value)


def _percent(words: str, share: float) -> Number:
    return Number(words, 100 * share, unit=0.1)


def _degrees(pose: str) -> float:
    return float(re.match(r"[\d.]+", pose.removeprefix("turned by "))[0])  # type: ignore[index]


def of_image(networks: Networks, x: Tensor, pose: str) -> list[Number]:
    """By `audit`, at the angle on show: of each network, and of resampling."""
    angle = [math.radians(_degrees(pose))]
    curves = {name: audit(one, x[:1], P4M, angles=angle).curve for name, one in networks.items()}
    found = [_error(name, float(curve["error"][0])) for name, curve in curves.items()]
    return [*found, _error("resampling", float(next(iter(curves.values()))["baseline"][0]))]


def of_sphere(networks: Networks, signals: dict[str, Tensor], pose: str) -> list[Number]:
    """``|R⁻¹Φ(R·f) − Φ(f)| / |Φ(f)|`` about the upright axis, of what the grids can turn."""
    f = next(iter(signals.values()))[None]
    R = SO3.from_zyz(math.radians(_degrees(pose)), 0.0, 0.0)
    source, found = SphereMaps(1, f.shape[-1] // 2), []
    for name, network in networks.items():
        y, turned = (network(source.act(g, f)).detach() for g in (SO3.identity, R))
        kind = SphereMaps if y.dim() == 4 else RotationMaps
        field = kind(y.shape[1], y.shape[-1] // 2)
        back, rest = field.act(SO3.inverse(R), turned), field.act(SO3.identity, y)
        found.append(_error(f"relative error, {name}", equivariance_error(back, rest)))
    return found


def of_shape(networks: Networks, shapes: Tensor, pose: str) -> list[Number]:
    """At a quarter turn, which moves voxels onto voxels: in all that turn within the grid."""
    x, R = shapes[:1], SO3.from_zyz(math.radians(_degrees(pose)), 0.0, 0.0)
    at = torch.arange(x.shape[-1]) - (x.shape[-1] - 1) / 2
    inside = at.square() + at[:, None].square() + at[:, None, None].square()
    seen = (inside.sqrt() <= x.shape[-1] / 2 - 0.5) & (IrrepMaps("1x0e").act(R, x)[0, 0] > 0.3)
    found = []
    for name, network in networks.items():
        y = network(x).detach()
        field = getattr(list(network.modules())[-1], "out_field", IrrepMaps(f"{y.shape[1]}x0e"))
        turned, wanted = network(IrrepMaps("1x0e").act(R, x)).detach(), field.act(R, y)
        found.append(_error(name, equivariance_error(turned[..., seen], wanted[..., seen])))
    return found


def of_filter(networks: Networks, filters: Tensor, pose: str) -> list[Number]:
    """By a lifting convolution with the first filter, of an L."""
    image = torch.zeros(1, 1, 32, 32)
    image[..., 6:26, 10:15] = 1.0
    image[..., 21:26, 10:23] = 1.0
    layer = LiftingConv2d(P4M, 1, 1, filters.shape[-1], padding=filters.shape[-1] // 2, bias=False)
    layer.load_state_dict({**layer.state_dict(), "weight": filters[:1, None]})
    source, target, g = ScalarMaps(P4M, 1), RegularMaps(P4M, 1), int(pose)
    y, turned = layer(image).detach(), layer(source.act(g, image)).detach()
    alone = equivariance_error(turned[:, :, 0], source.act(g, y[:, :, 0]))
    all_maps = equivariance_error(turned, target.act(g, y))
    return [_error("all maps", all_maps), _error("the first map alone", alone)]


def of_accuracy(networks: Networks, data: tuple[Tensor, Tensor], pose: str) -> list[Number]:
    """By `accuracy_vs_angle`."""
    angle = [math.radians(_degrees(pose))]
    return [
        _percent(rf"([\d.]+) %  {name}", accuracy_vs_angle(network, *data, angle)[0])
        for name, network in networks.items()
    ]


def of_training(networks: Networks, sets: Any, pose: str) -> list[Number]:
    """The accuracy of the network that `fit` makes of it, upright and at quarter turns."""
    (network,), (data, test) = networks.values(), sets
    fit(network, *data, epochs=2, batch_size=8, lr=0.05, seed=0, progress=False)
    turned = accuracy_vs_angle(network, *test, [math.pi / 2, math.pi, 1.5 * math.pi])
    return [
        _percent(r"accuracy: upright ([\d.]+) %, turned .*", accuracy(network, *test)),
        _percent(r"accuracy: .*, turned ([\d.]+) %", sum(turned) / len(turned)),
    ]


def of_lens(networks: Networks, picture: Any, pose: str) -> list[Number]:
    """What the classifiers say of the picture that the camera takes."""
    x = torch.from_numpy(picture(_degrees(pose)))[None].float()
    chances = {name: network(x).detach().max() for name, network in networks.items()}
    return [_percent(rf"{name}: \S.* ([\d.]+) %(?:, changes.*)?", float(chance))
            for name, chance in chances.items()]  # fmt: skip
