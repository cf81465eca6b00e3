"""Filters that turn by any angle: circular harmonics on rings, and the layers made of them."""

from equivlab.nn.planar.steerable.activation import CircleActivation, CircleGate, fourier_matrix
from equivlab.nn.planar.steerable.conv import SteerableConv2d
from equivlab.nn.planar.steerable.readout import CircleDownsample2d, CircleReadout
from equivlab.nn.planar.steerable.rings import RingBasis

__all__ = [
    "CircleActivation",
    "CircleDownsample2d",
    "CircleGate",
    "CircleReadout",
    "RingBasis",
    "SteerableConv2d",
    "fourier_matrix",
]
