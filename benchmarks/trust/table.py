"""Rows of the table, and how they are written."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- trust: written by benchmarks/trust -->", "<!-- trust: end -->"

FAMILIES = {
    "inputs": ("always", "malformed inputs tried, uncaught, slowest"),
    "hostile": ("always", "hostile files with a one-line answer"),
    "kills": ("always", "kill -9 of runs, workers and writers"),
    "damage": ("always", "bit flips and truncations found"),
    "engines": ("always", "engines with equal numbers"),
    "poison": ("always", "poison clips named"),
    "covered": ("full only", "branch coverage"),
    "mutants": ("always", "mutation score"),
}
"""Module of each family: when it runs, and what it is called where it did not."""


@dataclass(frozen=True)
class Size:
    """How much is tried."""

    quick: bool

    def pick(self, quick: int, full: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True)
class Row:
    """One promise with what was measured of it; `holds` is None where there is no goal."""

    promise: str
    measured: str
    goal: str = ""
    holds: bool | None = None

    @property
    def verdict(self) -> str:
        return {True: "yes", False: "NO", None: ""}[self.holds]

    def as_text(self) -> str:
        return f"{self.promise}: {self.measured}  [{self.goal}] {self.verdict}"


def as_markdown(found: dict[str, list[Row]], size: Size) -> str:
    lines = ["| promise | measured | wanted | held |", "|---|---|---|---|"]
    for family, (_, words) in FAMILIES.items():
        for row in found.get(family, [Row(words, "not run")]):
            cells = (row.promise, row.measured, row.goal, row.verdict)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    when = time.strftime("%Y-%m-%d")
    how = "small counts (`--quick`)" if size.quick else "full counts"
    lines += ["", f"Run on {when} with {how}, {platform.system()} {platform.machine()}, "]
    lines[-1] += f"Python {platform.python_version()}, seeds fixed."
    return "\n".join(lines)


def write_between(page: Path, text: str) -> None:
    old = page.read_text(encoding="utf-8")
    head, _, rest = old.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
