"""Networks of the papers and their plain twins: one text, the group is an argument."""

from equivlab.models.planar import P4CNN, Z2CNN, DigitCNN, smooth_network

__all__ = ["DigitCNN", "P4CNN", "Z2CNN", "smooth_network"]
