"""`audioclf explore`: the data as it is, before any training."""

from __future__ import annotations

from audioclf.explore.survey import Exploration, explore

__all__ = ["Exploration", "explore"]
