"""List of the runs below a folder, finished or not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from audioclf.base.errors import ResultError
from audioclf.base.locks import take_lock
from audioclf.runs.folder import CONFIG, LOCK, METRICS, PIPELINES, RECORD, UNFINISHED
from audioclf.runs.reading import read_config
from audioclf.runs.tables import naming, read_json

State = Literal["finished", "running", "unfinished", "damaged"]


@dataclass(frozen=True)
class ListedRun:
    """A run folder in a list.

    `date` is when the run finished, or its folder last changed, in local time. An unfinished run
    was stopped, or failed; the same command resumes it. Of a damaged one `problem` names the file.
    Only a finished run has a best pipeline; its `value` is None where the metric is not defined.
    """

    path: Path
    date: datetime
    state: State
    name: str = ""
    best: str = ""
    metric: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    problem: str = ""

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self) | {"path": str(self.path), "date": self.date.isoformat(" ", "seconds")}


def list_runs(folder: str | Path) -> list[ListedRun]:
    """Return the runs in a folder, the newest first; other folders there are left out.

    A `ResultError` is raised where there is no such folder.
    """
    try:
        paths = [path for path in Path(folder).iterdir() if is_run(path)]
    except OSError as exc:
        hint = "Give the folder that holds the runs; by default audioclf writes them to runs."
        raise ResultError(f"{folder}: {exc.strerror}", hint=hint) from exc
    return sorted(map(_listed, paths), key=lambda run: (run.date, run.path.name), reverse=True)


def is_run(path: Path) -> bool:
    """Return whether a folder is that of a run, finished or not."""
    return any((path / name).is_file() for name in (RECORD, UNFINISHED, LOCK))


def state_of(path: Path) -> State:
    """Return how far the run of a folder has come, from the names of its files."""
    if (path / RECORD).is_file():
        return "finished"
    if (path / LOCK).is_file():
        with suppress(OSError):
            if (lock := take_lock(path / LOCK)) is None:
                return "running"
            lock.release()
    return "unfinished"


def _listed(path: Path) -> ListedRun:
    state, date = state_of(path), datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    name = ""
    try:
        if state == "finished" or (path / CONFIG).is_file():
            config = read_config(path)
            name, metric = str(config["name"]), str(config["metrics"][0])
        if state != "finished":
            return ListedRun(path, date, state, name)
        record, metrics = read_json(path / RECORD), read_json(path / METRICS)
        with naming(path / RECORD):
            date = datetime.strptime(record["finished"], "%Y-%m-%dT%H:%M:%S%z").astimezone()
        with naming(path / METRICS):
            best, written = next(iter(metrics[PIPELINES].items()))
            value = written["metrics"].get(metric) or {}
    except ResultError as exc:
        return ListedRun(path, date, "damaged", name, problem=exc.message)
    ends = (value.get("value"), value.get("low"), value.get("high"))
    return ListedRun(path, date, state, name, best, metric, *ends)
