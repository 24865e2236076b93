"""Model and data to families of arrays, and their evaluation."""
