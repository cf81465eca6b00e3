"""A filter to paint, and all its orientations."""
