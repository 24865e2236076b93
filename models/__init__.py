"""The catalogue of `.mec` models and their data, as package data."""
