"""Cut and place DNN layers as a game: best responses, equilibria and baselines of the paper."""
