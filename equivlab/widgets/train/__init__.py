"""A network while it is trained."""
