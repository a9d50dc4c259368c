"""The folder that a run works in: locked for one run, and resumed where an earlier run stopped.

A stopped run is resumed in its folder by the same command. Finished work is found by
content (`FitCache`, the feature cache); every other file is written again.
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
"""Folder of the fits of an unfinished run."""


@contextmanager
def working_folder(out: Path | None, name: str, config: str) -> Iterator[RunFolder]:
    """Lock a folder for one run, until it ends.

    Parameters
    ----------
    out : Path, optional
        The folder; by default that of the newest unfinished run below `runs/` with this name and
        config, or a new one.
    name : str
        Name of the run.
    config : str
        The resolved config as text.

    Raises
    ------
    ResultError
        If the folder cannot be written, holds a finished run or other files, or another run works
        in it.
    """
    folder, lock = _given(out) if out else _unfinished_or_new(Path("runs"), name, config)
    try:
        _clear(folder.path)
        folder.write_text(CONFIG, config)
        yield folder
    finally:
        lock.release()


def _given(path: Path) -> tuple[RunFolder, FileLock]:
    folder = RunFolder.create(path)
    lock = _lock(path)
    if lock is None:
        raise ResultError(
            f"{path}: another run uses this folder ({lock_owner(path / LOCK)})",
            hint="Wait until it has ended, or choose another folder with --out.",
        )
    try:
        # The run may have finished meanwhile.
        RunFolder.create(path)
    except ResultError:
        lock.release()
        raise
    return folder, lock


def find_unfinished(parent: Path, name: str, config: str) -> Path | None:
    """Return the newest folder of this name and config whose run did not finish, if any."""
    result = _lock_unfinished(parent, name, config)
    if result is None:
        return None
    folder, lock = result
    lock.release()
    return folder.path


def _lock_unfinished(parent: Path, name: str, config: str) -> tuple[RunFolder, FileLock] | None:
    for path in _unfinished(parent, name, config):
        with suppress(ResultError):
            if (lock := _lock(path)) is not None:
                if not (path / RECORD).exists():
                    return RunFolder(path), lock
                lock.release()
    return None


def _unfinished_or_new(parent: Path, name: str, config: str) -> tuple[RunFolder, FileLock]:
    if (result := _lock_unfinished(parent, name, config)) is not None:
        return result
    while True:
        folder = RunFolder.create_named(parent, name)
        # Another run may have locked the new folder meanwhile.
        if (lock := _lock(folder.path)) is not None:
            return folder, lock


def _unfinished(parent: Path, name: str, config: str) -> list[Path]:
    """Return the folders of this config whose run did not finish, the newest first."""
    form = re.compile(rf"{re.escape(name)}-[0-9]{{8}}-[0-9]{{6}}(-[0-9]+)?")
    try:
        paths = [path for path in parent.iterdir() if form.fullmatch(path.name)]
    except OSError:
        return []
    return [path for path in sorted(paths, reverse=True) if _is_unfinished(path, config)]


def _is_unfinished(path: Path, config: str) -> bool:
    try:
        present = {entry.name for entry in path.iterdir()}
        if CONFIG not in present:  # ended before it wrote anything
            return all(name == LOCK or ASIDE.fullmatch(name) for name in present)
        return RECORD not in present and (path / CONFIG).read_bytes() == config.encode("utf-8")
    except OSError:
        return False


def _lock(path: Path) -> FileLock | None:
    try:
        return take_lock(path / LOCK)
    except OSError as exc:
        raise unwritable(path, exc) from exc


def _clear(path: Path) -> None:
    """Remove the results of an earlier run, but not its config and its fits."""
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
