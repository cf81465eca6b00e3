"""Layers on S² and SO(3), with few orders in γ (spin), and from HEALPix maps."""

from equivlab.nn.sphere.activation import SO3Activation
from equivlab.nn.sphere.conv import S2Conv, SO3Conv
from equivlab.nn.sphere.healpix import HealpixToSphere
from equivlab.nn.sphere.moments import S2Moments, SO3Integrate, SO3Moments
from equivlab.nn.sphere.norm import NormedConv, SO3BatchNorm, SpinBatchNorm
from equivlab.nn.sphere.spin import SpinActivation, SpinConv

__all__ = [
    "HealpixToSphere",
    "NormedConv",
    "S2Conv",
    "S2Moments",
    "SO3Activation",
    "SO3BatchNorm",
    "SO3Conv",
    "SO3Integrate",
    "SO3Moments",
    "SpinActivation",
    "SpinBatchNorm",
    "SpinConv",
]
