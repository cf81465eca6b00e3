"""A zoo of physics images in which no direction is the right one: one small simulator a file.

>>> images, labels = physics_images("ising", range(3), seed=0, size=32)
>>> images.shape, [physics_families()["ising"].classes[n] for n in labels]
((3, 1, 32, 32), ['ordered', 'critical', 'disordered'])
"""

from equivlab.data.physics.families import Family, physics_families, physics_images
from equivlab.data.physics.sets import physics_source, physics_to_shards

__all__ = ["Family", "physics_families", "physics_images", "physics_source", "physics_to_shards"]
