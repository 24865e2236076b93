"""Ipopt: continuous smooth problems."""
