"""What everything else stands on: errors, text, limits, files, locks and the machine."""
