"""FICO Xpress, an optional extra."""
