"""Page of a score: numbers, and misses and false alarms with their sound."""
