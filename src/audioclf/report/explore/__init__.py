"""The page of an exploration: levels, formats and a map of the clips."""
