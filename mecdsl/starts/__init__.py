"""Many starts of a local solver: points to start from, runs side by side, and the best of them."""
