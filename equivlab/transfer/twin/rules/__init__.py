"""How each layer and function of torch is written in a twin."""

from __future__ import annotations

from torch import nn

from equivlab.transfer.twin.reading import Call
from equivlab.transfer.twin.rules.convolving import CONVOLUTION_FUNCTIONS, CONVOLUTIONS, flat_node
from equivlab.transfer.twin.rules.norming import NORM_FUNCTIONS, NORMS
from equivlab.transfer.twin.rules.pointwise import BRANCHES, POINTWISE, POINTWISE_FUNCTIONS
from equivlab.transfer.twin.rules.pooling import POOL_FUNCTIONS, POOLS
from equivlab.transfer.twin.rules.shaping import SHAPE_FUNCTIONS, SHAPES
from equivlab.transfer.twin.writing import Rule

__all__ = ["flat_node", "rule_for"]

LAYERS: dict[type[nn.Module], Rule] = {**CONVOLUTIONS, **NORMS, **POOLS, **POINTWISE, **SHAPES}
FUNCTIONS: dict[str, Rule] = {
    **CONVOLUTION_FUNCTIONS,
    **NORM_FUNCTIONS,
    **POOL_FUNCTIONS,
    **POINTWISE_FUNCTIONS,
    **SHAPE_FUNCTIONS,
}


def rule_for(call: Call) -> Rule | None:
    """How a call is written, if that is known."""
    if isinstance(call.target, str):
        return FUNCTIONS.get(call.target)
    if call.target.__name__ in BRANCHES:
        return BRANCHES[call.target.__name__]
    return next((LAYERS[kind] for kind in call.target.__mro__ if kind in LAYERS), None)
