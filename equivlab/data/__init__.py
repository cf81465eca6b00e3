"""Data for the course and the benchmarks: from a package, or from a checked download."""

from equivlab.data.digits import digit_images, mnist, rotate_each
from equivlab.data.download import fetch
from equivlab.data.sky import sky_images

__all__ = ["digit_images", "fetch", "mnist", "rotate_each", "sky_images"]
