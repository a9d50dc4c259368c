"""Malformed archives, sound files and configs: the mutants of `tests.hostile.fuzzing`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from table import Row, Size

from tests.hostile.fuzzing import fuzz

RESULT = Path(__file__).resolve().parents[1] / "fuzz.json"
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
    yield from _kept()


def _kept() -> Iterator[Row]:
    """Yield what `make fuzz` found when it was run: it takes the better part of an hour."""
    found = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    if not found:
        yield Row("`make fuzz`, a million of each", "not run")
    for name, item in found.items():
        kind, _, by = name.partition(" by ")
        what = f"{item['tried']:,} tried: {item['uncaught']} uncaught"
        if not by:
            what += f", slowest {item['slowest_ms']:.0f} ms"
        how = f"guided by coverage, {by} {item[by]}" if by else f"`make fuzz`, seed {item['seed']}"
        promise = f"malformed {KINDS[kind][0]}, {how}"
        yield Row(promise, f"{what} ({item['date']})", "0 uncaught", item["uncaught"] == 0)
