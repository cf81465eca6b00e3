"""A shape that turns in space, and its vector and tensor features."""
