"""The stages of a run, called in order."""
