"""Base classes of components, the hooks, and the registry of what plugins bring."""
