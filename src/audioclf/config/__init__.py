"""The config of a run: from YAML with positions to validated objects."""
