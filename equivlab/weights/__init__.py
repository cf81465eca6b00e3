"""Weights on disk: files that say what they belong to, and the trained networks of the package."""

from equivlab.weights.classifier import Classifier, UnlikeImagesWarning, load_classifier
from equivlab.weights.files import load, read_tensors, save, write_tensors
from equivlab.weights.likeness import measure
from equivlab.weights.preparation import Preparation
from equivlab.weights.pretrained import (
    ModelCard,
    load_pretrained,
    pretrained_names,
    read_card,
    save_pretrained,
)

__all__ = [
    "Classifier",
    "ModelCard",
    "Preparation",
    "UnlikeImagesWarning",
    "load",
    "load_classifier",
    "load_pretrained",
    "measure",
    "pretrained_names",
    "read_card",
    "read_tensors",
    "save",
    "save_pretrained",
    "write_tensors",
]
