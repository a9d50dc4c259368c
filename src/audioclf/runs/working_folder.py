"""The folder that a run works in: locked for one run, and resumed where an earlier run stopped.

A stopped run is resumed in its folder by the same command. Finished work is found by
content (`FitCache`, the feature cache); every other file is written again. Only a folder with the
list of an unfinished run is resumed, and only files on that list are removed or replaced.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from audioclf.base.errors import AudioclfError, ResultError
from audioclf.base.files import ASIDE, unwritable
from audioclf.base.locks import FileLock, lock_owner, take_lock
from audioclf.runs.folder import (
    CONFIG,
    LEDGER,
    LOCK,
    PLOTS,
    RECORD,
    UNFINISHED,
    RunFolder,
    is_result,
)

FIT_CACHE = ".fits"
"""Folder of the fits of an unfinished run without a feature cache."""

_LOCK_BYTES = 24
"""Upper bound of the size of a lock file, which holds the number of a process."""


@contextmanager
def working_folder(
    out: Path | None, name: str, config: str, *, keep_refused: bool = True
) -> Iterator[RunFolder]:
    """Lock a folder for one run, until it ends.

    By default it is that of the newest unfinished run below `runs/` with this name and config, or a
    new one. Without `keep_refused`, an `AudioclfError` leaves no folder.
    """
    refused = False
    content = config.encode("utf-8")
    if out is not None:
        folder, lock = _given(out, content)
    else:
        runs = Path("runs")
        folder, lock = _lock_unfinished(runs, name, content) or _new(runs, name)
    try:
        _clear(folder)
        folder.list_as_written(_digest_line(content))
        folder.write_text(CONFIG, config)
        yield folder
    except AudioclfError:
        refused = not keep_refused
        raise
    finally:
        if refused:
            with suppress(AudioclfError, OSError):
                _clear(folder)
                for file in (CONFIG, UNFINISHED):
                    (folder.path / file).unlink(missing_ok=True)
        if (folder.path / RECORD).exists():
            with suppress(OSError):
                (folder.path / UNFINISHED).unlink()
        lock.release()
        if refused:
            for path in (folder.path / PLOTS, folder.path):
                with suppress(OSError):  # holds other files
                    path.rmdir()


def _given(path: Path, config: bytes) -> tuple[RunFolder, FileLock]:
    folder = RunFolder.create(path)
    _check_usable(path, config)
    lock = _lock(path)
    if lock is None:
        raise ResultError(
            f"{path}: another run uses this folder ({lock_owner(path / LOCK)})",
            hint="Wait until it has ended, or choose another folder with --out.",
        )
    try:
        # The run may have finished meanwhile.
        _check_usable(path, config)
    except ResultError:
        lock.release()
        raise
    return folder, lock


def _check_usable(path: Path, config: bytes) -> None:
    """Refuse a folder that is neither empty nor that of an unfinished run."""
    try:
        present = {entry.name for entry in path.iterdir() if not _is_aside(entry.name)}
        foreign = sorted(_foreign(path, config))
    except OSError as exc:
        raise unwritable(path, exc) from exc
    if RECORD in present:
        raise ResultError(
            f"{path}: holds a finished run, which is not overwritten",
            hint="Choose another folder with --out, or delete this one.",
        )
    if foreign:
        raise ResultError(
            f"{path}: holds files that do not belong to a run: {', '.join(foreign[:3])}"
            + ", ..." * (len(foreign) > 3),
            hint="Choose an empty or a new folder with --out.",
        )


def _foreign(path: Path, config: bytes) -> set[str]:
    """Return the files in the way of a run: all, or those that an unfinished run did not write."""
    present = {entry.name for entry in path.iterdir()}
    if UNFINISHED in present or _is_of_earlier_version(path, present, config):
        own = _written(path) - ({CONFIG} if _is_edited(path, config) else set())
        return _results_in(path) - own
    lock = path / LOCK
    if lock.is_file() and lock.stat().st_size <= _LOCK_BYTES:
        present -= {LOCK}
    return {name for name in present if not _is_aside(name)}


def _is_of_earlier_version(path: Path, present: set[str], config: bytes) -> bool:
    """Return whether a run of a version without lists stopped here, with the same config."""
    has_work = {FIT_CACHE, LOCK} & present
    return bool(has_work) and CONFIG in present and (path / CONFIG).read_bytes() == config


def _is_edited(path: Path, config: bytes) -> bool:
    """Return whether the config of an unfinished run is neither this one nor as it was written."""
    try:
        content = (path / CONFIG).read_bytes()
    except FileNotFoundError:
        return False
    return content != config and _digest_line(content) not in RunFolder(path).lines()


def _digest_line(config: bytes) -> str:
    return f"{CONFIG} sha256:{hashlib.sha256(config).hexdigest()}"


def _written(path: Path) -> set[str]:
    """Return the names of the files that the unfinished run of a folder has written."""
    if (path / UNFINISHED).exists():
        return set(filter(is_result, RunFolder(path).lines()))
    return {CONFIG, LEDGER} if (path / FIT_CACHE).is_dir() else {CONFIG}


def _results_in(path: Path) -> set[str]:
    """Return the names of the files in a folder that have the name of a result."""
    plots = path / PLOTS
    if plots.is_symlink() or (plots.exists() and not plots.is_dir()):
        return {PLOTS, *(entry.name for entry in path.iterdir() if is_result(entry.name))}
    inside = plots.iterdir() if plots.exists() else ()
    names = [entry.relative_to(path).as_posix() for entry in (*path.iterdir(), *inside)]
    return set(filter(is_result, names))


def _is_aside(name: str) -> bool:
    """Return whether a file was to become a result, as `.config.yaml.77.tmp`."""
    whole = name[1:].rsplit(".", 2)[0]
    return ASIDE.fullmatch(name) is not None and (is_result(whole) or is_result(f"{PLOTS}/{whole}"))


def find_unfinished(parent: Path, name: str, config: str) -> Path | None:
    """Return the newest folder of this name and config whose run did not finish, if any."""
    if (result := _lock_unfinished(parent, name, config.encode("utf-8"))) is None:
        return None
    folder, lock = result
    lock.release()
    return folder.path


def _lock_unfinished(parent: Path, name: str, config: bytes) -> tuple[RunFolder, FileLock] | None:
    for path in _unfinished(parent, name, config):
        with suppress(ResultError):
            if (lock := _lock(path)) is not None:
                if not (path / RECORD).exists():
                    return RunFolder(path), lock
                lock.release()
    return None


def _new(parent: Path, name: str) -> tuple[RunFolder, FileLock]:
    while True:
        folder = RunFolder.create_named(parent, name)
        # Another run may have locked the new folder meanwhile.
        if (lock := _lock(folder.path)) is not None:
            return folder, lock


def _unfinished(parent: Path, name: str, config: bytes) -> list[Path]:
    """Return the folders of this config whose run did not finish, the newest first."""
    form = re.compile(rf"{re.escape(name)}-[0-9]{{8}}-[0-9]{{6}}(-[0-9]+)?")
    paths = sorted(parent.iterdir(), reverse=True) if parent.is_dir() else []
    return [p for p in paths if form.fullmatch(p.name) and _is_unfinished(p, config)]


def _is_unfinished(path: Path, config: bytes) -> bool:
    try:
        present = {entry.name for entry in path.iterdir() if not _is_aside(entry.name)}
        if RECORD in present or _foreign(path, config):
            return False
        # Without a config it ended before it wrote anything.
        return CONFIG not in present or (path / CONFIG).read_bytes() == config
    except OSError:
        return False


def _lock(path: Path) -> FileLock | None:
    try:
        return take_lock(path / LOCK)
    except OSError as exc:
        raise unwritable(path, exc) from exc


def _clear(folder: RunFolder) -> None:
    """Remove the results of the unfinished run, but not its config and its fits."""
    path = folder.path
    try:
        written = _written(path)
        if not (path / UNFINISHED).exists():
            lines = "".join(f"{name}\n" for name in sorted(written))
            (path / UNFINISHED).write_text(lines, encoding="utf-8", newline="\n")
        for name in sorted(written - {CONFIG}):
            (path / name).unlink(missing_ok=True)
        for entry in (*path.iterdir(), *(path / PLOTS).glob(".*.tmp")):
            if _is_aside(entry.name):
                entry.unlink()
    except OSError as exc:
        raise unwritable(path, exc) from exc
