"""Models and traces as text and pictures."""
