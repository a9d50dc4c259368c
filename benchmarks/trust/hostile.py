"""Hostile and bad input with a known answer: each is a test that reads message and exit code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pytests import counts
from table import Row, Size

PARTS = (
    ("hostile archives, sound files, configs and models", "tests/hostile"),
    ("bad input that users meet", "tests/experiment/test_bad_input.py"),
    (
        "model files that are damaged, forged or foreign",
        "tests/models/test_damage.py",
        "tests/models/test_forged.py",
    ),
)


def rows(size: Size, scratch: Path) -> Iterator[Row]:
    marks = ["-m", "not slow"] if size.quick else []
    for what, *paths in PARTS[: 2 if size.quick else None]:
        passed, failed, skipped = counts(scratch / f"{len(what)}.xml", *paths, *marks)
        measured = f"{passed + failed} cases, {passed} with the wanted answer"
        measured += f"; {skipped} skipped on this machine" if skipped else ""
        yield Row(what, measured, "all", failed == 0 and passed > 0)
