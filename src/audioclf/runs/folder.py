"""The run folder: names, columns and keys of its files.

`record.json` is written last: a folder without it is a run that did not finish. Until then
`.audioclf-unfinished` lists the names of the files that the run has written; no other file is ever
removed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from typing_extensions import override

from audioclf.base.errors import ResultError
from audioclf.base.files import OutputFolder, unwritable
from audioclf.base.text import file_name

AUDIT = "audit.json"
COMPARISON = "comparison.json"
CONFIG = "config.yaml"
FOLDS = "folds.csv"
IMPORTANCES = "importances.json"
LEARNING_CURVE = "learning_curve"
"""Name of a JSON file and a table."""
LEDGER = "ledger.csv"
METRICS = "metrics.json"
MODEL = "model.audioclf"
PLOTS = "plots"
PREDICTIONS = "predictions.csv"
RECORD = "record.json"
REPORT = "report.html"
STRESS = "stress.json"
"""Written by `audioclf stress` after the run."""

RESULTS = {AUDIT, COMPARISON, CONFIG, FOLDS, IMPORTANCES, LEDGER}
RESULTS |= {f"{LEARNING_CURVE}.json", f"{LEARNING_CURVE}.csv"}
RESULTS |= {METRICS, MODEL, PREDICTIONS, RECORD, REPORT, STRESS}
"""Files of a run."""

LOCK = ".running"
"""File that is locked while a run works in the folder."""

UNFINISHED = ".audioclf-unfinished"
"""File that lists the names of the files of an unfinished run, and the digest of its config."""

_EQUAL_MODEL = re.compile(r"model-[^/]+\.audioclf")
_PLOT = re.compile(
    rf"{PLOTS}/(classes|examples|comparison|learning-curve|per-class|roc|precision-recall|confusion-[^/\\\\]+)"
    r"\.(png|svg)"
)

PIPELINES = "cells"
"""Key of the pipelines in `metrics.json`, `importances.json` and the output of `compare`."""

COSTS = ("fit_seconds", "predict_seconds_per_clip", "model_bytes", "peak_memory_bytes")
"""Keys of the costs of a pipeline in `metrics.json`."""


def earlier_fits(fits: Mapping[str, Any]) -> str:
    """Return a sentence on the `fits` of a `record.json` that earlier runs did; empty if none.

    >>> earlier_fits({"total": 27, "resumed": 18})
    '18 of 27 fits are from earlier runs; their times and memory were measured then'
    """
    if not fits.get("resumed"):
        return ""
    which = f"{fits['resumed']} of {fits.get('total')} fits are from earlier runs"
    return f"{which}; their times and memory were measured then"


class LedgerLine(NamedTuple):
    """A row of `ledger.csv`: a clip and its file; `recording` is empty for a whole file."""

    path: str
    label: str
    status: str
    message: str
    container: str
    subtype: str
    sr: int | str
    channels: int | str
    frames: int | str
    seconds: float | str
    sha256: str
    recording: str


class FoldRow(NamedTuple):
    """A row of `folds.csv`: a clip on the test side of a fold."""

    repeat: int | str
    fold: str
    path: str
    label: str
    group: str


class PredictionRow(NamedTuple):
    """First columns of a row of `predictions.csv`.

    A `score_column` for each class follows, and where a pipeline has decision values, a
    `decision_column` for each class.
    """

    cell: str
    repeat: int | str
    fold: str
    path: str
    true_label: str
    label: str
    score: str


def score_column(label: str) -> str:
    """Return the name of the column of `predictions.csv` with the scores of a class."""
    return f"score_{label}"


def decision_column(label: str) -> str:
    """Return the name of the column of `predictions.csv` with the decision values of a class."""
    return f"decision_{label}"


class Named(Protocol):
    """Something with a name, such as a pipeline."""

    @property
    def name(self) -> str:
        """The name."""


_Named = TypeVar("_Named", bound=Named)


def named(pipelines: Iterable[_Named], name: str) -> _Named:
    """Return the pipeline of a name; a `KeyError` has the names there are."""
    by_name = {pipeline.name: pipeline for pipeline in pipelines}
    if name not in by_name:
        raise KeyError(f"no pipeline {name!r}; there are {', '.join(by_name)}")
    return by_name[name]


def is_result(name: str) -> bool:
    """Return whether a run writes a file of this name, relative to its folder with `/`."""
    patterns = (_PLOT, _EQUAL_MODEL)
    return name in RESULTS or any(pattern.fullmatch(name) for pattern in patterns)


def equal_model(pipeline: str) -> str:
    """Return the name of the file of a model that is kept beside `model.audioclf`."""
    return f"model-{file_name(pipeline)}.audioclf"


@dataclass(frozen=True)
class RunFolder(OutputFolder):
    """A folder of results."""

    @override
    def write_bytes(self, name: str, content: bytes) -> Path:
        self.list_as_written(name)
        return super().write_bytes(name, content)

    def list_as_written(self, name: str) -> None:
        """Add a name to the list of an unfinished run, before the file is written."""
        try:
            if (self.path / UNFINISHED).exists() and name not in self.lines():
                with (self.path / UNFINISHED).open("a", encoding="utf-8", newline="\n") as stream:
                    stream.write(f"{name}\n")
        except OSError as exc:
            raise unwritable(self.path / UNFINISHED, exc) from exc

    def lines(self) -> list[str]:
        """Return the lines of the list of an unfinished run."""
        text = (self.path / UNFINISHED).read_text(encoding="utf-8", errors="replace")
        return text.splitlines()

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Make the folder if it is missing."""
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise unwritable(path, exc) from exc
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
