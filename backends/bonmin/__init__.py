"""Bonmin: convex problems with integers."""
