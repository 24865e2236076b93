"""How good a point is by its multipliers: KKT conditions, bounds from the dual."""
