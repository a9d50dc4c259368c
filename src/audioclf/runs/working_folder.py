"""The folder that a run works in: by one run at a time, and again where an earlier one stopped.

The same command goes on in the folder that it left without `record.json`. What of it was finished
is found by content (see `FitCache` and the feature cache); everything else in it is written anew.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from audioclf.base.errors import ResultError
from audioclf.base.files import ASIDE, unwritable
from audioclf.base.locks import FileLock, lock_owner, take_lock
from audioclf.runs.folder import CONFIG, LOCK, PLOTS, RECORD, RESULTS, RunFolder

FIT_CACHE = ".fits"
"""Folder of what a run has fitted, as long as the run is unfinished."""


@contextmanager
def working_folder(out: Path | None, name: str, config: str) -> Iterator[RunFolder]:
    """Give a folder to one run alone, until it ends.

    Parameters
    ----------
    out : Path, optional
        The folder; without it that of the newest run below `runs/` with this name and config which
        did not finish, or a new one.
    name : str
        Name of the run.
    config : str
        The resolved config, as it stands in the folder.

    Raises
    ------
    ResultError
        If the folder cannot be written, holds a finished run or other files, or another run works
        in it.
    """
    folder, held = _asked_for(out) if out else _left_or_new(Path("runs"), name, config)
    try:
        _clear(folder.path)
        folder.write_text(CONFIG, config)
        yield folder
    finally:
        held.release()


def _asked_for(path: Path) -> tuple[RunFolder, FileLock]:
    folder = RunFolder.create(path)
    held = _claimed(path)
    if held is None:
        raise ResultError(
            f"{path}: another run is at work here ({lock_owner(path / LOCK)})",
            hint="Wait until it has ended, or choose another folder with --out.",
        )
    try:
        # It may have finished since the first look.
        RunFolder.create(path)
    except ResultError:
        held.release()
        raise
    return folder, held


def find_left(parent: Path, name: str, config: str) -> Path | None:
    """Return the newest folder of this name and config whose run did not finish, if any."""
    found = _claimed_left(parent, name, config)
    if found is None:
        return None
    folder, held = found
    held.release()
    return folder.path


def _claimed_left(parent: Path, name: str, config: str) -> tuple[RunFolder, FileLock] | None:
    for path in _left(parent, name, config):
        with suppress(ResultError):
            if (held := _claimed(path)) is not None:
                if not (path / RECORD).exists():
                    return RunFolder(path), held
                held.release()
    return None


def _left_or_new(parent: Path, name: str, config: str) -> tuple[RunFolder, FileLock]:
    if (found := _claimed_left(parent, name, config)) is not None:
        return found
    while True:
        folder = RunFolder.create_named(parent, name)
        # Between the two steps another run may have taken it for one that stopped.
        if (held := _claimed(folder.path)) is not None:
            return folder, held


def _left(parent: Path, name: str, config: str) -> list[Path]:
    """Return the folders of this config whose run did not finish, the newest first."""
    form = re.compile(rf"{re.escape(name)}-[0-9]{{8}}-[0-9]{{6}}(-[0-9]+)?")
    try:
        found = [path for path in parent.iterdir() if form.fullmatch(path.name)]
    except OSError:
        return []
    return [path for path in sorted(found, reverse=True) if _is_left(path, config)]


def _is_left(path: Path, config: str) -> bool:
    try:
        present = {entry.name for entry in path.iterdir()}
        if CONFIG not in present:  # ended before it wrote anything
            return all(name == LOCK or ASIDE.fullmatch(name) for name in present)
        return RECORD not in present and (path / CONFIG).read_bytes() == config.encode("utf-8")
    except OSError:
        return False


def _claimed(path: Path) -> FileLock | None:
    try:
        return take_lock(path / LOCK)
    except OSError as exc:
        raise unwritable(path, exc) from exc


def _clear(path: Path) -> None:
    """Remove what an earlier run wrote here, but not what it kept of its fits.

    Else a file that this run does not write would pass for one of its own.
    """
    try:
        for entry in path.iterdir():
            if entry.name in (CONFIG, LOCK, FIT_CACHE):
                continue
            if entry.is_dir() and not entry.is_symlink():
                if entry.name == PLOTS:
                    shutil.rmtree(entry)
            elif entry.name in RESULTS or ASIDE.fullmatch(entry.name):
                entry.unlink()
        for entry in (path / FIT_CACHE).glob(".*.tmp"):
            entry.unlink()
    except OSError as exc:
        raise unwritable(path, exc) from exc
