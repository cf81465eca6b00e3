"""A globe that turns, and the features of a spherical network on it."""
