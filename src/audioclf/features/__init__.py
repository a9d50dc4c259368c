"""Features of clips: extraction in one pass, the cache, and the design matrix."""
