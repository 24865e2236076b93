"""HiGHS: linear and convex quadratic problems."""
