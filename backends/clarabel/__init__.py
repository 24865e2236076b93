"""Clarabel: convex problems in cones, derived from the templates of the families."""
