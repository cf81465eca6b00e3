"""Networks of the papers and their plain twins: one text, the group is an argument."""

from equivlab.models.molecules import SphericalMoleculeCNN, smooth_spherical_atom_cnn
from equivlab.models.planar import P4CNN, Z2CNN, DigitCNN, smooth_network
from equivlab.models.points import PointNetwork
from equivlab.models.resnet import ResNet18
from equivlab.models.resnet_weights import load_resnet18_weights
from equivlab.models.space import PlainCNN3d, SmoothSteerableCNN3d, SteerableCNN3d
from equivlab.models.sphere import (
    planar_digit_cnn,
    smooth_spherical_digit_cnn,
    smooth_spherical_shape_cnn,
    spherical_digit_cnn,
    spherical_shape_cnn,
    spin_digit_cnn,
)
from equivlab.models.unet import UNet

__all__ = [
    "DigitCNN",
    "P4CNN",
    "PlainCNN3d",
    "PointNetwork",
    "ResNet18",
    "SmoothSteerableCNN3d",
    "SphericalMoleculeCNN",
    "SteerableCNN3d",
    "UNet",
    "Z2CNN",
    "load_resnet18_weights",
    "planar_digit_cnn",
    "smooth_network",
    "smooth_spherical_atom_cnn",
    "smooth_spherical_digit_cnn",
    "smooth_spherical_shape_cnn",
    "spherical_digit_cnn",
    "spherical_shape_cnn",
    "spin_digit_cnn",
]
