"""Entries of a run for MLflow, as plain data; nothing here imports MLflow.

A run of audioclf becomes one run of MLflow, and each of its pipelines a run nested in that.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audioclf.plugin import FinishedRun

MAX_VALUE = 500
"""Characters of a parameter or tag; MLflow takes 500 at least, depending on its store."""

IDENTITY_TAG = "audioclf.run"
"""Tag with a digest of the record, which identifies a run of audioclf."""

_ODD = re.compile(r"[^\w.\- :/]", re.ASCII)


@dataclass(frozen=True)
class Point:
    """One value of a metric; `step` is the fold, counted from 0, where there are several."""

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Entry:
    """Content of one run of MLflow."""

    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: tuple[Point, ...]


def identity(run: FinishedRun) -> str:
    """Return the digest that `IDENTITY_TAG` holds: equal for copies of one run only."""
    text = json.dumps(run.record, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def run_entry(run: FinishedRun) -> Entry:
    """Return the entry of the run as a whole: its config, and the metrics of its best pipeline."""
    config = {
        key: value for key, value in run.config.items() if key not in {"featurizers", "classifiers"}
    }
    best, found = next(iter(run.metrics["cells"].items()))
    return Entry(
        run.name,
        dict(_flat(config)),
        {**_origin_tags(run), "audioclf.best_cell": best},
        (*_counts(run), *_points(found)),
    )


def cell_entries(run: FinishedRun) -> Iterator[Entry]:
    """Yield the entry of each pipeline, best first."""
    for name, found in run.metrics["cells"].items():
        parts: dict[str, str] = {}
        for kind in ("featurizer", "classifier"):
            part = run.config[f"{kind}s"].get(found[kind], {"type": "dummy"})
            parts.update(_flat({kind: part}))
        tags = {
            "audioclf.cell": name,
            "audioclf.featurizer": found["featurizer"],
            "audioclf.classifier": found["classifier"],
            "audioclf.scores": found["scores"],
        }
        yield Entry(name, parts, tags, tuple(_points(found)))


def times(run: FinishedRun) -> tuple[int, int]:
    """Return when the run began and ended, in ms since 1970 UTC."""
    finished = time.strptime(run.record["finished"], "%Y-%m-%dT%H:%M:%S%z")
    end = 1000 * (calendar.timegm(finished) - (finished.tm_gmtoff or 0))
    return end - round(1000 * sum(run.record["seconds"].values())), end


def _origin_tags(run: FinishedRun) -> dict[str, str]:
    record = run.record
    tags = {
        IDENTITY_TAG: identity(run),
        "audioclf.version": str(record["audioclf"]),
        "audioclf.dataset": str(record["dataset"]["name"]),
        "audioclf.fingerprint": str(record["dataset"]["fingerprint"]),
        "audioclf.split": str(record["split"]),
        "audioclf.platform": str(record["platform"]),
    }
    tags |= {f"version.{name}": str(version) for name, version in record["versions"].items()}
    for place, origin in record["components"].items():
        source = f"{origin['distribution']} {origin['version']}" if origin["distribution"] else "-"
        tags[f"component.{place}"] = f"{origin['type']}, {source}"
    return {key_of(key): value_of(value) for key, value in tags.items()}


def _counts(run: FinishedRun) -> Iterator[Point]:
    dataset = run.record["dataset"]
    yield Point("clips", float(dataset["clips"]))
    yield Point("clips_left_out", float(dataset["failed"]))
    yield Point("groups", float(dataset["groups"]))
    yield Point("units_of_intervals", float(run.metrics["unit"]["count"]))


def _points(pipeline: Mapping[str, Any]) -> Iterator[Point]:
    """Yield each metric with the ends of its interval, its value on each fold, and the costs."""
    for name, found in pipeline["metrics"].items():
        if found is None:
            continue
        values = {name: found["value"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
        for key, value in values.items():
            yield from _point(key, value)
        for step, value in enumerate(found["per_fold"]):
            yield from _point(f"{name}_per_fold", value, step)
    for key in ("fit_seconds", "predict_seconds_per_clip", "model_bytes", "peak_memory_bytes"):
        yield from _point(key, pipeline[key])


def _point(key: str, value: float | None, step: int = 0) -> Iterator[Point]:
    """Yield nothing where there is no number: JSON has null for NaN."""
    if value is not None and math.isfinite(value):
        yield Point(key_of(key), float(value), step)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield `a.b.c` with a text for each value in nested mappings."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield key_of(key), value_of(text)


def key_of(text: str) -> str:
    """Return a name that MLflow takes: letters, digits and `_-. :/`, 250 of them at most."""
    return _ODD.sub("_", text)[:250]


def value_of(text: str) -> str:
    """Return a value that MLflow takes; a longer one ends in "...", `config.yaml` has it whole."""
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 3]}..."
