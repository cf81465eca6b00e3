"""One mode, then everything, in one process: ``python -m tests.modes.poison MODE FILE``.

Nothing forks here, so what the mode left in any remembered table is what all later calls use. The
file gets what each layer and network gives afterwards, and the gradient of its input.
"""

from __future__ import annotations

import sys
import warnings

import torch
from torch import Tensor

from equivlab.fields import RegularMaps
from equivlab.groups import P4
from tests.modes.cases import build, inputs
from tests.modes.matrix import each

NAMES = (
    "GroupConv2d",
    "SO3Activation",
    "S2Conv",
    "SO3Integrate",
    "IrrepDownsample3d",
    "SteerableCNN3d",
    "spherical_digit_cnn",
    "spin_digit_cnn",
)


def never(name: str) -> None:
    """In no mode at all."""


def export(name: str) -> None:
    layer, args = build(name), inputs(name)
    torch.export.export(layer, args).module()(*args)


def meta(name: str) -> None:
    away = each(inputs(name), lambda part: part.to("meta"))
    with torch.device("meta"):
        build(name)(*away)
        _group()


def fake(name: str) -> None:
    from torch._subclasses import FakeTensorMode

    args = inputs(name)
    with FakeTensorMode() as mode:
        build(name)(*each(args, mode.from_tensor))
        _group()


def inference(name: str) -> None:
    with torch.inference_mode():
        build(name)(*inputs(name))
        _group()


FIRST = {"never": never, "export": export, "meta": meta, "fake": fake, "inference": inference}


def _group() -> Tensor:
    """What the tables of a group do to a field."""
    x = torch.arange(4 * 3 * 3, dtype=torch.float32).view(1, 1, 4, 3, 3)
    return RegularMaps(P4, 1).act(1, x)


def afterwards(name: str) -> list[Tensor]:
    """In `eval()`, then one step of training in float64: the output, and the input's gradient."""
    layer, args = build(name), inputs(name)
    with torch.no_grad():
        found = layer(*args)
    x = args[0].double().requires_grad_()
    layer.double().train()(x, *args[1:]).square().sum().backward()
    assert x.grad is not None
    return [found, x.grad]


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    mode, file = sys.argv[1:]
    for name in NAMES:
        FIRST[mode](name)
    found = {name: afterwards(name) for name in NAMES}
    torch.save(found | {"P4": [_group()]}, file)


if __name__ == "__main__":
    main()
