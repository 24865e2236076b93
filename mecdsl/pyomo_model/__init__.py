"""The lowering to Pyomo and the files it can write."""
