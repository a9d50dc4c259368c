"""Mutation score of the modules that read what strangers wrote, as `make mutate` measured it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from table import Row, Size

RESULT = Path(__file__).resolve().parents[1] / "mutation.json"
GOAL = 85.0


def rows(size: Size, scratch: Path) -> Iterator[Row]:
    """Yield a row per module; hours are too long for this command, so the results are kept."""
    found = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    if not found:
        yield Row("mutation score", "not run: `make mutate` takes hours")
    for module, item in found.items():
        score = 100 * item["caught"] / item["tried"]
        left = item["counts"].get("not checked", 0)
        what = f"{item['caught']} of {item['tried']} changes noticed, {score:.1f} %"
        what += f"; {left} more were not tried" if left else ""
        name = module.removeprefix("src/audioclf/")
        measured = f"{what} (mutmut {item['mutmut']}, {item['date']})"
        yield Row(f"mutation score of {name}", measured, f"{GOAL:g} %", score >= GOAL)
