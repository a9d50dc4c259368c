"""The run folder and the names of its files.

`record.json` is written last: a folder without it is a run that did not finish.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from audioclf.base.errors import ResultError
from audioclf.base.files import ASIDE, OutputFolder, unwritable

AUDIT = "audit.json"
COMPARISON = "comparison.json"
CONFIG = "config.yaml"
FOLDS = "folds.csv"
IMPORTANCES = "importances.json"
LEDGER = "ledger.csv"
METRICS = "metrics.json"
MODEL = "model.audioclf"
PLOTS = "plots"
PREDICTIONS = "predictions.csv"
RECORD = "record.json"
REPORT = "report.html"

RESULTS = {AUDIT, COMPARISON, CONFIG, FOLDS, IMPORTANCES, LEDGER}
RESULTS |= {METRICS, MODEL, PREDICTIONS, RECORD, REPORT}
"""Files of a run."""

LOCK = ".running"
"""File that is locked while a run works in the folder."""


@dataclass(frozen=True)
class RunFolder(OutputFolder):
    """A folder of results."""

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Make the folder, or take an empty or unfinished one.

        Raises
        ------
        ResultError
            If it cannot be written, or holds a finished run or other files.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            present = {entry.name for entry in path.iterdir() if not ASIDE.fullmatch(entry.name)}
        except OSError as exc:
            raise unwritable(path, exc) from exc
        if RECORD in present:
            raise ResultError(
                f"{path}: holds a finished run, which is not overwritten",
                hint="Choose another folder with --out, or delete this one.",
            )
        if present - {LOCK} and CONFIG not in present:
            raise ResultError(
                f"{path}: holds files that do not belong to a run",
                hint="Choose an empty or a new folder with --out.",
            )
        return cls(path)

    @classmethod
    def create_named(cls, parent: Path, name: str) -> RunFolder:
        """Make a new folder `parent/name-YYYYmmdd-HHMMSS`, with a number where that is taken."""
        stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
        for number in range(1, 1000):
            path = parent / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as exc:
                raise unwritable(path, exc) from exc
            return cls(path)
        raise ResultError(f"{parent / stem}: 999 runs have this name already")
