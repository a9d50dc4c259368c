"""Built-in classifiers, one module each."""
