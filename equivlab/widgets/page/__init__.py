"""What the pages of all widgets share."""
