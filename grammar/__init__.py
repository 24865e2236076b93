"""The grammar of the `.mec` language and its reference, as package data."""
