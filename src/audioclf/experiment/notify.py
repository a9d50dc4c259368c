"""Tell plugins of a finished run, in a way that cannot cost the run.

A plugin is told in a process of its own with a limit of time. Whatever it does there, the folder of
the run is complete already, and what comes back is a sentence.
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
"""Environment variable: comma-separated names of plugins that are told of every finished run."""

NOTIFY_SECONDS = 600.0
"""How long a plugin may take, in s, unless the user says otherwise."""


@dataclass(frozen=True)
class Told:
    """What came of telling one plugin.

    Parameters
    ----------
    is_done : bool
    text : str
        What it said, or why it failed; names the plugin with distribution and version.
    """

    is_done: bool
    text: str


def wanted(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return the plugins to tell: these, or those of the environment variable."""
    if names is None:
        names = os.environ.get(NOTIFY_VARIABLE, "").split(",")
    return tuple(filter(None, map(str.strip, names)))


def tell(
    observers: Iterable[Observer], folder: Path, *, seconds: float = NOTIFY_SECONDS
) -> Iterator[Told]:
    """Tell each plugin of a finished run and yield what came of it; raises nothing of theirs.

    Parameters
    ----------
    observers : iterable of Observer
    folder : Path
        Folder of the run.
    seconds : float
        How long each may take, in s.
    """
    for observer in observers:
        try:
            yield Told(True, f"{observer.origin}: {_told(observer, folder, seconds)}")
        except (AudioclfError, WorkerGoneError) as exc:
            yield Told(False, _failure(observer, folder, exc))


def finished_run(folder: Path) -> FinishedRun:
    """Read a finished run from its folder.

    Raises
    ------
    ResultError
        If it did not finish, or a file of it is damaged.
    """
    run = read_run(folder)
    files = tuple(sorted(path for path in run.path.resolve().rglob("*") if path.is_file()))
    return FinishedRun(run.path.resolve(), run.config, run.record, run.metrics, files)


def _told(observer: Observer, folder: Path, seconds: float) -> str:
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
    return " ".join((outcome or "was told of the run").split())


def _call(function: RunFinished, run: FinishedRun) -> object:
    return function(run)


def _failure(observer: Observer, folder: Path, exc: Exception) -> str:
    if isinstance(exc, AudioclfError):
        why = " ".join(filter(None, (exc.message, exc.hint)))
    else:
        why = f"it ended its process: {exc}"
    again = f"audioclf notify {folder} {observer.origin.entry_point}"
    return (
        f"the plugin {observer.origin} was to be told of this run and failed: {why.rstrip('.')}. "
        f"The results are complete; try again with `{again}`"
    )
