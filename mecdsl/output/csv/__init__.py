"""Tables for other programs: SI, an empty cell is unknown."""
