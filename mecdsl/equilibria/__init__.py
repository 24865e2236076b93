"""Equilibria of games: best responses, the certificate of a point, potentials."""
