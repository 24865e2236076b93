"""Forms: named variants of a model."""
