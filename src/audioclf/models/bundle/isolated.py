"""Trial load of an untrusted model file in a worker process."""

from __future__ import annotations

from pathlib import Path

from audioclf.base.errors import AudioclfError, ModelError
from audioclf.components.discovery import discover
from audioclf.engines.base import WorkerDiedError
from audioclf.engines.local import ProcessEngine
from audioclf.models.bundle.reading import open_bundle, read_bundle


def try_bundle(path: Path, expect_sha256: str | None = None) -> None:
    """Load a bundle in a worker process, with all checks.

    A crash of the interpreter, such as memory that a library corrupts, ends only the worker. This
    is no sandbox: the worker has all rights of its user.

    Raises
    ------
    ConfigError
        If `expect_sha256` is no SHA-256.
    ModelError
        If the bundle is refused, or loading it ends the process.
    """
    if expect_sha256 is not None:
        open_bundle(
            path, expect_sha256=expect_sha256
        )  # refuse another file before a process is started
    with ProcessEngine(1) as engine:
        ((_, outcome),) = engine.map(_load, [str(path)])
    if isinstance(outcome, WorkerDiedError):
        raise ModelError(
            f"{path}: loading it ended the worker process ({outcome.how})",
            hint="It is damaged, hostile, or larger than the memory: do not use it.",
        )
    if isinstance(outcome, AudioclfError):
        raise outcome


def _load(path: str) -> None:
    read_bundle(path, discover())
