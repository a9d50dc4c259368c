"""Errors that a user can fix, and exit codes.

A message is one sentence: what happened, where, and what was expected; `hint` is the next step.
Any other exception is a bug of ours and keeps its traceback. `EXIT_PARTIAL`: finished, but some
files failed or a plugin could not be notified.
"""

from __future__ import annotations

from typing import ClassVar

from audioclf.base.text import one_line

EXIT_OK = 0
EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_DATA = 3
EXIT_PARTIAL = 4
EXIT_MODEL = 5
EXIT_ENVIRONMENT = 6
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class AudioclfError(Exception):
    """Base of all errors that are meant for the user rather than for a debugger.

    Parameters
    ----------
    message : str
        One sentence: what happened, where, what was expected.
    hint : str, optional
        The next step, as an imperative sentence.
    """

    exit_code: ClassVar[int] = EXIT_DATA

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(cls: type[AudioclfError], message: str, hint: str | None) -> AudioclfError:
    return cls(message, hint=hint)


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command like Ctrl-C; no `except Exception` stops it."""


def stop_code(exc: KeyboardInterrupt) -> int:
    """Return the exit code of a command that was stopped."""
    return EXIT_TERMINATED if isinstance(exc, Terminated) else EXIT_INTERRUPTED


def stop_words(exc: KeyboardInterrupt) -> str:
    """Return the message for a command that was stopped: its notes, if it has any."""
    notes: list[str] = getattr(exc, "__notes__", [])
    return "; ".join(notes) or "what was finished before is kept"


class ConfigError(AudioclfError):
    """A config file or an override is not valid."""

    exit_code = EXIT_USAGE


class PluginError(AudioclfError):
    """A plugin is broken, clashes with another, or is not installed."""

    exit_code = EXIT_USAGE


class DatasetError(AudioclfError):
    """A dataset as a whole is missing, unreadable, empty or degenerate."""


class DecodeError(AudioclfError):
    """One clip cannot be decoded. The message is one line, whatever the file is called."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(one_line(message), hint=hint)


class FeatureError(AudioclfError):
    """A featurizer failed on a clip, or returned something that is not a feature matrix."""


class SplitError(AudioclfError):
    """The dataset cannot be split as the config asks."""


class ClassifierError(AudioclfError):
    """A classifier failed to build, fit or predict, or broke its contract."""


class ModelError(AudioclfError):
    """A model bundle is damaged, foreign or incompatible."""

    exit_code = EXIT_MODEL


class ResultError(AudioclfError):
    """Results cannot be written, or a run folder cannot be read."""

    exit_code = EXIT_ENVIRONMENT


class MemoryShortError(AudioclfError):
    """The machine has less free memory than a fit would take."""

    exit_code = EXIT_ENVIRONMENT


class EnvironmentMissingError(AudioclfError):
    """A required package is not installed, or a required service is not available."""

    exit_code = EXIT_ENVIRONMENT
