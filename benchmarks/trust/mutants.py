"""Mutation score of the modules that read what strangers wrote: see `make mutation`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from table import Row, Size


def rows(size: Size, scratch: Path) -> Iterator[Row]:
    yield Row("mutation score", "not run: `make mutation` takes hours; see what it prints")
