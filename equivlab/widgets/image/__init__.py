"""A picture that turns, and the feature maps that follow."""
