"""An instance as solvers get it: smaller, scaled and shifted, with the way back."""
