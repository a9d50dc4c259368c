"""Built-in featurizers, one module each."""
