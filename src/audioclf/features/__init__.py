"""From clips to design matrices."""

from audioclf.features.extraction import Extraction, LedgerRow, extract

__all__ = ["Extraction", "LedgerRow", "extract"]
