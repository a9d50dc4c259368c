"""Finished runs on a few tones, for tests of what reads run folders.

Each is made once below the folder that all tests share, `tmp_path_factory.getbasetemp()`.
"""

import csv
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from audioclf.experiment.run import run
from audioclf.runs.folder import METRICS, PREDICTIONS, RECORD
from tests.conftest import CONFIG, tone, write_wav

Row = dict[str, str]

MORE_PIPELINES = (
    "classifiers={logreg: {type: logistic_regression}, knn: {type: knn}, svm: {type: svm}}"
)
WITH_GROUPS = r"dataset.label_pattern='(?P<label>[a-z]+)/(?P<group>[a-d])_(?P<fold>\d)\d*\.wav$'"


@cache
def first_run(base: Path) -> Path:
    """Return a run of three classifiers and the baseline, svm without probabilities."""
    return _finish(base, "first", MORE_PIPELINES, "split.repeats=2")


@cache
def plotted_run(base: Path) -> Path:
    """Return a run of the same pipelines with its plots."""
    return _finish(base, "plotted", MORE_PIPELINES, "report.plots=true")


@cache
def second_run(base: Path) -> Path:
    """Return a run of one classifier on other features of the same clips, in the same folds."""
    return _finish(base, "second", "featurizers.mel.n_mels=8", "split.repeats=2")


@cache
def grouped_run(base: Path) -> Path:
    """Return a run whose clips have groups, and of which a part is never on test."""
    split = "split={type: predefined, test_folds: ['0', '1']}"
    return _finish(base, "grouped", WITH_GROUPS, split)


@cache
def _sounds(base: Path) -> Path:
    """Write two classes of similar tones; four speakers."""
    root = base / "tones"
    for label, frequency in (("low", 700.0), ("high", 760.0)):
        for index in range(12):
            y = tone(frequency * (1 + 0.03 * (index % 5)), 0.3, 8000, seed=index)
            write_wav(root / label / f"{'abcd'[index % 4]}_{index}.wav", y)
    return root


def _finish(base: Path, name: str, *overrides: str) -> Path:
    path = base / "runs" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    dataset = f"{{type: folder, path: {_sounds(base)}}}"
    path.write_text(CONFIG.replace("{type: zip, path: sounds.zip}", dataset), encoding="utf-8")
    overrides = (f"name={name}", *overrides)
    run(path, overrides=overrides, out=path.with_suffix(""), jobs=1, cache=False)
    return path.with_suffix("")


def copy_run(source: Path, target: Path) -> Path:
    """Copy a run folder, to be changed."""
    shutil.copytree(source, target)
    return target


def change_json(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file in place."""
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data) + "\n", encoding="utf-8")


def change_csv(path: Path, change: Callable[[list[Row]], object]) -> None:
    """Change the rows of a table in place."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def change_fingerprint(folder: Path) -> None:
    """Give a run the fingerprint of other clips."""
    change_json(folder / RECORD, lambda data: data["dataset"].update(fingerprint="0" * 64))


def keep_pipelines(folder: Path, *names: str) -> None:
    """Remove all other pipelines from a run."""

    def keep_metrics(data: Any) -> None:
        data["cells"] = {name: data["cells"][name] for name in names}

    def keep_rows(rows: list[Row]) -> None:
        rows[:] = [row for row in rows if row["cell"] in names]

    change_json(folder / METRICS, keep_metrics)
    change_csv(folder / PREDICTIONS, keep_rows)
