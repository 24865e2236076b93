"""Who may prove: what a solver says of there being no feasible point, or no end, is checked before
it counts.
"""
