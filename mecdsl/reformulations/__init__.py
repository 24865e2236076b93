"""Exact and relaxed reformulations of a model: products, switched constraints, their limits."""
