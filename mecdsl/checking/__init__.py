"""Syntax tree to model: names, shapes, dimensions, degrees."""
