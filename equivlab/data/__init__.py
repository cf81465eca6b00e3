"""Data for the course and the benchmarks: from a package, or from a checked download."""

from equivlab.data.digits import digit_images, mnist, rotate_each
from equivlab.data.download import fetch

__all__ = ["digit_images", "fetch", "mnist", "rotate_each"]
