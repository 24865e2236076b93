"""The symbolic model: what it is made of, its dimensions and levels, the order of its definitions,
and the degrees of its parts.
"""
