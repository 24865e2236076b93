"""Nonlinear problems as callbacks with sparse derivatives, from arrays, CasADi or Pyomo."""
