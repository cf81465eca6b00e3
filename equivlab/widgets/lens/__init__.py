"""A gravitational lens in the hand."""
