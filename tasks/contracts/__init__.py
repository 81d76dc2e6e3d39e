"""Facts that one version writes and another reads: typed, and checked when they are read."""
