"""Forms of a model, and the exact or relaxed reformulations they ask for."""
