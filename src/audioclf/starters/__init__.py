"""First config, sample data, plugin template and recipes."""
