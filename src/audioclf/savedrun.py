"""A finished run, read back from its folder.

What is here comes from the files alone: no component is built, so a run opens although a plugin of
it is not installed. Predictions come back as `FoldResult`s, so every metric and every comparison
works on them as on those of a run that has just ended.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.errors import AudioclfError, ResultError
from audioclf.evaluation import Fold, FoldResult
from audioclf.runfolder import CONFIG, FOLDS, LEDGER, METRICS, PREDICTIONS, RECORD
from audioclf.yaml_source import read_yaml

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]

_Row = dict[str, str]


@dataclass(frozen=True)
class SavedClip:
    """A clip as the ledger and the folds of a run know it.

    Parameters
    ----------
    id, label : str
    group : str, optional
    facts : mapping of str to str
        The other columns of `ledger.csv`, as they are written there.
    """

    id: str
    label: str
    group: str | None
    facts: Mapping[str, str]


@dataclass(frozen=True)
class SavedCell:
    """The out-of-fold predictions of one cell; stands wherever a `CellResult` is read from."""

    name: str
    featurizer: str
    classifier: str
    folds: tuple[FoldResult, ...]


@dataclass(frozen=True)
class SavedRun:
    """What a run folder holds.

    Parameters
    ----------
    path : Path
        The folder.
    config, record, metrics : dict
        The content of `config.yaml`, `record.json` and `metrics.json`.
    classes : tuple of str
    clips : tuple of SavedClip
        The clips that were evaluated, sorted by id, as the dataset had them.
    left_out : tuple of dict
        Rows of the ledger whose clip could not be read.
    folds : tuple of Fold
        Positions in `clips`; what is in no test side of a repeat trains.
    cells : tuple of SavedCell
        Best first by the main metric.
    """

    path: Path
    config: dict[str, Any]
    record: dict[str, Any]
    metrics: dict[str, Any]
    classes: tuple[str, ...]
    clips: tuple[SavedClip, ...]
    left_out: tuple[_Row, ...]
    folds: tuple[Fold, ...]
    cells: tuple[SavedCell, ...]

    @property
    def name(self) -> str:
        """The name of the run."""
        return str(self.config["name"])

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the dataset."""
        return str(self.record["dataset"]["fingerprint"])

    @property
    def main_metric(self) -> str:
        """The metric by which the cells are sorted."""
        return str(self.config["metrics"][0])

    @cached_property
    def y(self) -> Codes:
        """True class of each clip as a code, `0..k-1` [shape=(n_clips,)]."""
        codes = {name: code for code, name in enumerate(self.classes)}
        return np.asarray([codes[clip.label] for clip in self.clips], dtype=np.intp)

    @cached_property
    def units(self) -> tuple[str, Codes]:
        """The unit of account, "group" or "clip", and the number of each clip's unit."""
        groups = [clip.group for clip in self.clips]
        if None in groups:
            return "clip", np.arange(len(groups))
        _, codes = np.unique([str(group) for group in groups], return_inverse=True)
        return "group", codes.astype(np.intp)

    def file(self, name: str) -> Any:
        """Return the content of another JSON file of the folder; None where it is missing."""
        path = self.path / name
        return _json(path) if path.is_file() else None

    def __getitem__(self, cell: str) -> SavedCell:
        for found in self.cells:
            if found.name == cell:
                return found
        raise KeyError(cell)


def read_run(path: str | Path) -> SavedRun:
    """Read a run folder.

    Raises
    ------
    ResultError
        If there is no finished run, or one of its files is missing, damaged or does not fit the
        others; names the file.
    """
    folder = Path(path)
    if not (folder / RECORD).is_file():
        raise _unfinished(folder)
    config = _yaml(folder / CONFIG)
    record, metrics = _json(folder / RECORD), _json(folder / METRICS)
    ledger, folds = _table(folder / LEDGER), _table(folder / FOLDS)
    predictions = _table(folder / PREDICTIONS)
    try:
        return _assembled(folder, config, record, metrics, ledger, folds, predictions)
    except (KeyError, ValueError, IndexError, TypeError, AttributeError) as exc:
        said = f"{type(exc).__name__}: {exc}"
        raise ResultError(
            f"{folder}: the files of this run do not fit each other ({said})",
            hint="A file was changed or cut off. Run the config again.",
        ) from exc


def _unfinished(folder: Path) -> ResultError:
    if not folder.is_dir():
        return ResultError(f"{folder}: no such run folder", hint="Give the folder of a run.")
    what = "a run that did not finish" if (folder / CONFIG).is_file() else "no run"
    return ResultError(
        f"{folder}: holds {what}: {RECORD} is missing",
        hint="Run its config again, or give another.",
    )


def _assembled(
    folder: Path,
    config: dict[str, Any],
    record: dict[str, Any],
    metrics: dict[str, Any],
    ledger: Sequence[_Row],
    fold_rows: Sequence[_Row],
    predictions: Sequence[_Row],
) -> SavedRun:
    groups = {row["path"]: row["group"] or None for row in fold_rows}
    clips = tuple(_clip(row, groups) for row in ledger if row["status"] == "ok")
    classes = tuple(str(name) for name in metrics["classes"])
    at = {clip.id: position for position, clip in enumerate(clips)}
    folds = _folds(fold_rows, at)
    by_cell: dict[str, dict[tuple[str, str], list[_Row]]] = {name: {} for name in metrics["cells"]}
    for row in predictions:
        by_cell[row["cell"]].setdefault((row["repeat"], row["fold"]), []).append(row)
    cells = tuple(
        SavedCell(
            name,
            str(found["featurizer"]),
            str(found["classifier"]),
            tuple(
                _fold_result(fold, rows[str(fold.repeat), fold.name], at, classes, found)
                for fold in folds
            ),
        )
        for (name, found), rows in zip(metrics["cells"].items(), by_cell.values(), strict=True)
    )
    left_out = tuple(row for row in ledger if row["status"] != "ok")
    config["metrics"][0], record["dataset"]["fingerprint"]  # what properties rely on
    return SavedRun(folder, config, record, metrics, classes, clips, left_out, folds, cells)


def _clip(row: _Row, groups: Mapping[str, str | None]) -> SavedClip:
    facts = {key: value for key, value in row.items() if key not in ("path", "label")}
    return SavedClip(row["path"], row["label"], groups.get(row["path"]), facts)


def _folds(rows: Sequence[_Row], at: Mapping[str, int]) -> tuple[Fold, ...]:
    tests: dict[tuple[int, str], list[int]] = {}
    for row in rows:
        tests.setdefault((int(row["repeat"]), row["fold"]), []).append(at[row["path"]])
    everything = np.arange(len(at))
    return tuple(
        Fold(repeat, name, np.setdiff1d(everything, test), np.asarray(test, dtype=np.intp))
        for (repeat, name), test in tests.items()
    )


def _fold_result(
    fold: Fold,
    rows: Sequence[_Row],
    at: Mapping[str, int],
    classes: Sequence[str],
    cell: Mapping[str, Any],
) -> FoldResult:
    if [at[row["path"]] for row in rows] != fold.test.tolist():
        raise ValueError(f"{PREDICTIONS} and {FOLDS} differ in fold {fold.name!r}")
    codes = {name: code for code, name in enumerate(classes)}
    kind = cell["scores"]
    scores = None
    if kind != "none":
        columns = [f"score_{name}" for name in classes]
        scores = np.asarray([[float(row[c]) for c in columns] for row in rows], dtype=np.float64)
    y_pred = np.asarray([codes[row["label"]] for row in rows], dtype=np.intp)
    return FoldResult(fold, y_pred, scores, kind, float(cell["fit_seconds"]), 0.0)


def _yaml(path: Path) -> dict[str, Any]:
    try:
        data = read_yaml(path).data
    except AudioclfError as exc:
        raise _damaged(path, exc.message) from exc
    return _mapping(path, data)


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise _damaged(path, str(exc)) from exc
    return _mapping(path, data)


def _mapping(path: Path, data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise _damaged(path, "it holds no mapping")
    return data


def _table(path: Path) -> list[_Row]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error) as exc:
        raise _damaged(path, str(exc)) from exc
    if any(None in row or None in row.values() for row in rows):
        raise _damaged(path, "a row is longer or shorter than the header")
    return rows


def _damaged(path: Path, why: str) -> ResultError:
    return ResultError(f"{path}: cannot be read: {why}", hint="Run the config again.")
