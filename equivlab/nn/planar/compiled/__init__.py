"""The compiled kernel of the group convolutions; everything works without it."""
