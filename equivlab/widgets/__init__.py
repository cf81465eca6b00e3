"""Live views for JupyterLab: turn an input and watch the feature maps follow."""

from equivlab.widgets.accuracy.accuracy_vs_angle import AccuracyVsAngle
from equivlab.widgets.breaking import broken
from equivlab.widgets.filter.filter_orbit import FilterOrbit
from equivlab.widgets.globe.rotate_sphere import RotateSphere
from equivlab.widgets.image.rotate_image import RotateImage
from equivlab.widgets.lens.see_through import SeeThrough
from equivlab.widgets.shape.rotate_shape import RotateShape
from equivlab.widgets.train.train_live import TrainLive

__all__ = [
    "AccuracyVsAngle",
    "FilterOrbit",
    "RotateImage",
    "RotateShape",
    "RotateSphere",
    "SeeThrough",
    "TrainLive",
    "broken",
]
