"""Malformed archives, sound files and configs: the mutants of `tests.hostile.fuzzing`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from table import Row, Size

from tests.hostile.fuzzing import fuzz

KINDS = {"zip": ("zip archives", 1), "audio": ("sound files", 1), "config": ("configs", 10)}


def rows(size: Size, scratch: Path) -> Iterator[Row]:
    for kind, (what, fewer) in KINDS.items():
        found = fuzz(kind, size.pick(5000, 200_000) // fewer)
        measured = (
            f"{found.tried:,} tried: {found.refused:,} refused, {found.accepted:,} read, "
            f"{found.uncaught} uncaught, {found.printed} bytes printed by libraries, slowest "
            f"{found.slowest_ms:.0f} ms"
        )
        if found.findings:
            measured += f"; the first: {found.findings[0][:200]}"
        yield Row(f"malformed {what}", measured, "0 uncaught", found.uncaught == 0)
