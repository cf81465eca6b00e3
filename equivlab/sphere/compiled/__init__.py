"""The compiled transform on SO(3); everything works without it."""
