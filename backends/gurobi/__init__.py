"""Gurobi, an optional extra."""
