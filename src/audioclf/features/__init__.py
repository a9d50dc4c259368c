"""From clips to design matrices."""

from audioclf.features.extraction import CacheUse, Extraction, extract
from audioclf.features.work import LedgerRow

__all__ = ["CacheUse", "Extraction", "LedgerRow", "extract"]
