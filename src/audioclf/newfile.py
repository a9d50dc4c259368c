"""A file of the user's that is written once: nothing that is there is replaced unasked."""

from __future__ import annotations

from pathlib import Path

from audioclf.errors import ConfigError
from audioclf.runfolder import RunFolder


def check_new(path: Path, *, force: bool = False) -> None:
    """Refuse a path that is taken.

    Raises
    ------
    ConfigError
        If there is a folder, or a file that is not to be replaced.
    """
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, not a file", hint="Choose a file with --out.")
    if not force and (path.exists() or path.is_symlink()):
        raise ConfigError(
            f"{path} is there already, and nothing was written",
            hint="Choose another file with --out, or replace it with --force.",
        )


def write_new(path: Path, text: str, *, force: bool = False) -> Path:
    """Write a text file in UTF-8, whole or not at all.

    Raises
    ------
    ConfigError
        As `check_new`.
    ResultError
        If it cannot be written.
    """
    check_new(path, force=force)
    return RunFolder(path.parent).write_text(path.name, text)
