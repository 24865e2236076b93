"""Studies behind `models/*.claims.md`: what a paper claims, and what comes out."""
