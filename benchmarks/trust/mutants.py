"""Mutation score of the modules that read untrusted files, as `make mutate` measured it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from table import Row, Size

RESULT = Path(__file__).resolve().parents[1] / "mutation.json"
GOAL = 85.0


def rows(size: Size, scratch: Path) -> Iterator[Row]:
    """Yield a row per group; hours are too long for this command, so the results are kept."""
    found = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    if not found:
        yield Row("mutation score", "not run: `make mutate` takes hours")
    groups: dict[str, dict[str, Any]] = {}
    for module, item in found.items():
        groups.setdefault(_group(module), {})[Path(module).name] = item
    for group, items in groups.items():
        caught, tried = (sum(item[key] for item in items.values()) for key in ("caught", "tried"))
        lowest = min(items, key=lambda name: _score(items[name]))
        worst = items[lowest]
        measured = (
            f"{caught} of {tried} changes noticed, {100 * caught / tried:.1f} %; of "
            f"{len(items)} modules {lowest} has the lowest, {worst['caught']} of {worst['tried']} "
            f"(mutmut {worst['mutmut']}, {max(item['date'] for item in items.values())})"
        )
        score = 100 * caught / tried
        yield Row(f"mutation score of {group}", measured, f"{GOAL:g} %", score >= GOAL)


def _group(module: str) -> str:
    parts = {"features": "cache", "evaluation": "cache", "models": "bundle"}
    return parts.get(Path(module).relative_to("src/audioclf").parts[0], "input")


def _score(item: dict[str, Any]) -> float:
    return float(item["caught"] / item["tried"])
