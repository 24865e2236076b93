"""How functions of the variables bend, proven by rules or refuted by points, and the class of a
problem.
"""
