"""Bound propagation: what all rows together leave of the range of every variable and every part of
a row.
"""
