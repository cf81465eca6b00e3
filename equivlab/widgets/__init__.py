"""Live views for JupyterLab: turn an input and watch the feature maps follow."""

from equivlab.widgets.rotate_image import RotateImage

__all__ = ["RotateImage"]
