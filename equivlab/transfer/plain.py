"""Take a network away as an ordinary PyTorch network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from equivlab.models.sizes import EvenSize, ExactRadius, ExactSize
from equivlab.nn import FieldModule
from equivlab.nn.synced import SYNCED
from equivlab.transfer.plain_circle import CIRCLE_CONVERTERS
from equivlab.transfer.plain_frames import FRAME_CONVERTERS
from equivlab.transfer.plain_planar import PLANAR_CONVERTERS
from equivlab.transfer.plain_space import SPACE_CONVERTERS
from equivlab.transfer.tracing import as_graph
from equivlab.transfer.twin.module import EquivariantTwin
from equivlab.transfer.twin.parts import TWIN_CONVERTERS

__all__ = ["to_plain"]


def to_plain(model: nn.Module) -> nn.Module:
    """The same function as an ordinary network of `nn.Conv2d` (or `nn.Conv3d`) and batch norms.

    Every layer of equivlab is replaced by layers of `torch.nn` on maps ``(B, C·G, H, W)``, the
    orientations of a field next to each other; all other modules are copied. ``to_plain(m)(x)``
    equals ``m(x)`` to rounding where ``m`` ends in numbers or scalar maps, and
    ``m(x).flatten(1, 2)`` where it ends in regular maps, both in `eval()`. Every planar group has
    this twin. On hexagons zeros outside, by a mask made from the size, follow each layer; on SO(2)
    and O(2) the samples of functions on the circle are channels between two convolutions of one
    pixel. Train the original: the copy's weights and statistics are free, and training it loses the
    symmetry.

    What comes out needs no equivlab: networks of `equivlab.models` become graphs of torch.fx with
    the same parameter names, so it can be pickled and read elsewhere. Your own classes stay.

    Args:
        model: a network of equivlab layers and pointwise modules (activations, dropout), in
            any nesting whose `forward` does not look at the group axis itself.

    Returns:
        A new network; `model` is untouched. Mode, dtype, device and memory format are kept.

    Raises:
        TypeError: a layer that has no ordinary twin, such as those on the sphere, or a layer of
            your own on fields.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> from equivlab.nn import GroupPool, LiftingConv2d
    >>> to_plain(nn.Sequential(LiftingConv2d(P4, 1, 2, 3), nn.ReLU()))
    Sequential(
      (0): Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1))
      (1): ReLU()
    )
    """
    return _convert(getattr(model, "_orig_mod", model), "")  # what torch.compile wraps


def _convert(model: nn.Module, name: str) -> nn.Module:
    for kind, convert in CONVERTERS.items():
        plain = convert(model) if isinstance(model, kind) else None
        if plain is not None:
            return plain.train(model.training)
    if isinstance(model, FieldModule) or type(model).__module__.startswith("equivlab.nn"):
        where = f" (it is {name} here)" if name else ""
        raise TypeError(
            f"{type(model).__name__} has no twin in torch.nn{where}. Replace it before converting, "
            "or keep the whole network with torch.export.export(model, (x,))."
        )
    children = dict(model.named_children())
    plain = copy.copy(model) if children else copy.deepcopy(model)
    if children:
        plain.__dict__ = {
            key: copy.deepcopy(value) if key in ("_parameters", "_buffers") else copy.copy(value)
            for key, value in model.__dict__.items()
        }
        for child_name, child in children.items():
            setattr(plain, child_name, _convert(child, f"{name}.{child_name}".lstrip(".")))
    return as_graph(plain) if type(plain).__module__.startswith("equivlab.") else plain


def _unsynced(norm: _BatchNorm) -> nn.Module:
    """One of torch's own norms again."""
    plain = copy.deepcopy(norm)
    plain.__class__ = {ours: theirs for theirs, ours in SYNCED.items()}[type(norm)]
    return plain


CONVERTERS: dict[type[nn.Module], Callable[[Any], nn.Module | None]] = {
    EquivariantTwin: lambda twin: _convert(twin.network, ""),
    **TWIN_CONVERTERS,
    **FRAME_CONVERTERS,  # first: a transposed convolution is a planar one too
    **PLANAR_CONVERTERS,
    **CIRCLE_CONVERTERS,
    **SPACE_CONVERTERS,
    **dict.fromkeys(SYNCED.values(), _unsynced),
    ExactSize: lambda layer: as_graph(ExactSize(layer.step)),
    ExactRadius: lambda layer: as_graph(ExactRadius(layer.step)),
    EvenSize: lambda _: nn.Identity(),
}
