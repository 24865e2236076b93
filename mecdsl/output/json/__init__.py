"""Plain data: SI numbers in full precision, None for what is not known."""
