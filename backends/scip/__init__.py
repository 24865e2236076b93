"""SCIP: global optima with integers and nonconvex functions."""
