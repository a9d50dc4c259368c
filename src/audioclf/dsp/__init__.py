"""Short-time transforms, analysis windows and mel filters, on numpy and scipy alone."""
