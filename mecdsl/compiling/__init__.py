"""The passes from a syntax tree to a checked model, in their order."""
