"""Data files and settings: what they hold and where."""
