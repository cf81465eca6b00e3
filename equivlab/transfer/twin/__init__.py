"""Bring your own network: an equivariant twin of an ordinary one."""

from equivlab.transfer.twin.making import equivariant_twin
from equivlab.transfer.twin.module import EquivariantTwin
from equivlab.transfer.twin.refusing import ConversionError
from equivlab.transfer.twin.report import TwinReport

__all__ = ["ConversionError", "EquivariantTwin", "TwinReport", "equivariant_twin"]
