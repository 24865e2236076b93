"""Small problems with known answers, for every backend."""
