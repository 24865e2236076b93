"""Text models of mobile edge computing problems: parse, check, solve, verify."""

__version__ = "0.1.0"
