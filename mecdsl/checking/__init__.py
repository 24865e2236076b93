"""Syntax tree to model: names and indices resolved."""
