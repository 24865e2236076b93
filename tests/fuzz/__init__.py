"""A fuzzer: no input ends in a traceback, a warning of Python, or takes more than its time.

`uv run python -m tests.fuzz --inputs 100000 --seed 1` draws inputs, sends each through every stage
and prints a table; it ends with 1 if there is a finding. Input K of a seed is always the same text:
`--input K` runs it alone.

- `draw.py`: which text an input is; `tokens.py`: mutations; `models.py`, `expressions.py`: models
  from the grammar
- `stages.py`: what is done with a text, each stage under a clock
- `workers.py`: processes that are watched and may die; `shrink.py`: the least text that still fails
"""

import os

# two processes use two cores already, and threads of a library are none that a fork has
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
