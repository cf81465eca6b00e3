"""Test images and the accuracy at every angle."""
