"""Built-in loaders, one module each."""
