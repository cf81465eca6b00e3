"""Every public layer, a row or several each by its name: the one table that tests go through."""

from __future__ import annotations

from torch import nn

import equivlab.nn
from tests.nn.case import Case
from tests.nn.planar.cases import LAYERS as PLANAR
from tests.nn.space.cases import LAYERS as SPACE
from tests.nn.sphere.cases import LAYERS as SPHERE

#: By ``"Name"`` or, where one is not enough, ``"Name how"``.
LAYERS: dict[str, Case] = PLANAR | SPHERE | SPACE


def public_layers() -> dict[str, type[nn.Module]]:
    """The classes in the façade that compute something; a base class has no `forward`."""
    found = {name: getattr(equivlab.nn, name) for name in equivlab.nn.__all__}
    return {
        name: kind
        for name, kind in found.items()
        if isinstance(kind, type)
        and issubclass(kind, nn.Module)
        and kind.forward is not nn.Module.forward
    }


def rows_of(name: str) -> dict[str, Case]:
    """Its rows."""
    return {row: case for row, case in LAYERS.items() if row.split()[0] == name}
