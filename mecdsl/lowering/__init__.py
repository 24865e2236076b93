"""What has a kink as rows: the twin of an instance that solvers are given, and the way back from
its points.
"""
