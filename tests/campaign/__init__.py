"""Random models with known answers, solved by every general backend: a search for labels that are
wrong.
"""
