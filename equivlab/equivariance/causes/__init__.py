"""Why does a layer break the law? The likely cause in plain words, and what to do about it."""
