"""How good a model is, how sure that is, and how it grew with the labels. Numpy only."""
