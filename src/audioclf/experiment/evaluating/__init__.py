"""Finished models on labelled recordings: they are not fitted, else it is a run."""
