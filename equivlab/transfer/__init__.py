"""Take a trained network to other data, or away: stages, freezing, plain twins."""

from equivlab.transfer.heads import replace_head
from equivlab.transfer.norms import renew_norms
from equivlab.transfer.plain import to_plain
from equivlab.transfer.staging import freeze, learning_rates, stages, unfreeze
from equivlab.transfer.starting import from_plain
from equivlab.transfer.twin import ConversionError, EquivariantTwin, TwinReport, equivariant_twin
from equivlab.weights.files import load, save

__all__ = [
    "ConversionError",
    "EquivariantTwin",
    "TwinReport",
    "equivariant_twin",
    "freeze",
    "from_plain",
    "learning_rates",
    "load",
    "renew_norms",
    "replace_head",
    "save",
    "stages",
    "to_plain",
    "unfreeze",
]
