"""Sets of images larger than memory: shards, folders, and the names of classes."""

from equivlab.data.sets.batches import Batches, ImageSet, TensorImages, stratified
from equivlab.data.sets.classes import class_labels, class_names, in_order
from equivlab.data.sets.folders import FolderImages
from equivlab.data.sets.lock import InUseError, locked
from equivlab.data.sets.plans import Source
from equivlab.data.sets.reading import read_image
from equivlab.data.sets.shards import ShardedImages
from equivlab.data.sets.verify import verify_folder, verify_shards
from equivlab.data.sets.writer import write_part, write_shards

__all__ = [
    "Batches",
    "FolderImages",
    "InUseError",
    "ImageSet",
    "ShardedImages",
    "Source",
    "TensorImages",
    "class_labels",
    "class_names",
    "in_order",
    "locked",
    "read_image",
    "stratified",
    "verify_folder",
    "verify_shards",
    "write_part",
    "write_shards",
]
