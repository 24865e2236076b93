"""The algorithms derived for mobile edge learning."""
