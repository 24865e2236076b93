"""Plain text of at most 80 columns, with units everywhere."""
