"""equivlab: learn, teach and use rotation-equivariant neural networks.

A tensor is a field, and a field knows how the group acts on it. Start with
`equivlab.groups`, `equivlab.fields` and `equivlab.nn`.

Importing the package is light: a subpackage is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivlab.imports import late_names

if TYPE_CHECKING:
    from equivlab import (
        course,
        data,
        equivariance,
        fields,
        groups,
        models,
        nn,
        plots,
        projection,
        so3,
        sphere,
        training,
        transfer,
        weights,
        widgets,
    )
    from equivlab.equivariance import audit
    from equivlab.groups import P4, P4M
    from equivlab.nn.planar.compiled.config import show_config
    from equivlab.so3 import SO3

__version__ = "0.1.0"

__all__ = [
    "P4",
    "P4M",
    "SO3",
    "audit",
    "course",
    "data",
    "equivariance",
    "fields",
    "groups",
    "models",
    "nn",
    "plots",
    "projection",
    "show_config",
    "so3",
    "sphere",
    "training",
    "transfer",
    "weights",
    "widgets",
]

HOMES = {
    "P4": "groups",
    "P4M": "groups",
    "SO3": "so3",
    "audit": "equivariance",
    "show_config": "nn.planar.compiled.config",
}

__getattr__, __dir__ = late_names(
    __name__, {name: f"equivlab.{HOMES.get(name, name)}" for name in __all__}
)
