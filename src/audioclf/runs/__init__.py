"""The folder of a run: writing, reading, comparing, resuming."""
