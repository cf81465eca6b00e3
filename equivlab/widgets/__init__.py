"""Live views for JupyterLab: turn an input and watch the feature maps follow."""

from equivlab.widgets.accuracy_vs_angle import AccuracyVsAngle
from equivlab.widgets.filter_orbit import FilterOrbit
from equivlab.widgets.rotate_image import RotateImage
from equivlab.widgets.rotate_shape import RotateShape
from equivlab.widgets.rotate_sphere import RotateSphere

__all__ = ["AccuracyVsAngle", "FilterOrbit", "RotateImage", "RotateShape", "RotateSphere"]
