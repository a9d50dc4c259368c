"""Notification of plugins about a finished run.

Each plugin is called in a process of its own with a time limit, after the run folder is complete.
Its result is one sentence.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audioclf.base.errors import AudioclfError
from audioclf.components.finished_run import FinishedRun
from audioclf.components.registry import Observer, RunFinished
from audioclf.engines.base import Job, pack
from audioclf.engines.process import Worker, WorkerGoneError
from audioclf.runs.reading import read_run

NOTIFY_VARIABLE = "AUDIOCLF_NOTIFY"
"""Environment variable: comma-separated names of plugins to notify of every finished run."""

NOTIFY_SECONDS = 600.0
"""Default time limit of one notification, in s."""


@dataclass(frozen=True)
class Notification:
    """Outcome of one notification.

    `text`: the plugin's answer, or why it failed, with its name, distribution and version.
    """

    is_done: bool
    text: str


def plugins_to_notify(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return these names, or those in the environment variable."""
    if names is None:
        names = os.environ.get(NOTIFY_VARIABLE, "").split(",")
    return tuple(filter(None, map(str.strip, names)))


def send(
    observers: Iterable[Observer], folder: Path, *, seconds: float = NOTIFY_SECONDS
) -> Iterator[Notification]:
    """Notify each plugin of a finished run and yield the outcome, which may be an error."""
    for observer in observers:
        try:
            yield Notification(True, f"{observer.origin}: {_answer(observer, folder, seconds)}")
        except (AudioclfError, WorkerGoneError) as exc:
            yield Notification(False, _failure(observer, folder, exc))


def finished_run(folder: Path) -> FinishedRun:
    """Read a finished run from its folder."""
    run = read_run(folder)
    files = tuple(sorted(path for path in run.path.resolve().rglob("*") if path.is_file()))
    return FinishedRun(run.path.resolve(), run.config, run.record, run.metrics, files)


def _answer(observer: Observer, folder: Path, seconds: float) -> str:
    job = pack(Job(_call, finished_run(folder)))
    worker = Worker()
    try:
        worker.load(job)
        outcome = worker.run(pack(observer.call), seconds)
    finally:
        worker.dismiss()
        worker.close()
    if isinstance(outcome, AudioclfError):
        raise outcome
    if outcome is not None and not isinstance(outcome, str):
        what = type(outcome).__name__
        raise AudioclfError(f"it returned {what}, expected a sentence or nothing")
    return " ".join((outcome or "was notified of the run").split())


def _call(function: RunFinished, run: FinishedRun) -> object:
    return function(run)


def _failure(observer: Observer, folder: Path, exc: Exception) -> str:
    if isinstance(exc, AudioclfError):
        why = " ".join(filter(None, (exc.message, exc.hint)))
    else:
        why = f"it ended its process: {exc}"
    again = f"audioclf notify {folder} {observer.origin.entry_point}"
    return (
        f"notifying the plugin {observer.origin} of this run failed: {why.rstrip('.')}. "
        f"The results are complete; try again with `{again}`"
    )
