"""Claims verified: the result and its text."""
