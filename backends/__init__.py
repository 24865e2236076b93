"""Solver backends, one file each."""
