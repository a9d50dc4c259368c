"""Progress of a command: the stage at work, how far it is, and the time that is left."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, Self, TextIO

from audioclf.base.text import human_seconds, one_line

QUIET_VARIABLE = "AUDIOCLF_QUIET"
"""Environment variable: if it is set, no command shows progress, as with `--quiet`."""

_TICK_SECONDS = 0.25
_FIRST_ESTIMATE = 2.0  # s of a stage after which the time that is left is estimated
_NAMES = {
    "load": "loading the dataset",
    "model": "loading the model",
    "list": "listing recordings",
    "files": "looking at the files",
    "compare": "comparing",
    "verify": "verifying the cache",
    "headers": "reading headers",
    "plan": "planning",
    "reading": "features",
    "fitting": "fit",
    "curve": "learning curve, fit",
    "unknown": "classes left out, fit",
    "metrics": "metrics",
    "audits": "audits",
    "final": "final fit",
    "pictures": "pictures",
    "page": "page",
    "predict": "predicting",
}


class Progress(Protocol):
    """Called at the begin of a stage and with each step."""

    def __call__(self, stage: str, done: int, total: int, detail: str = "", /) -> None:
        """Take how much of a stage is done; `detail` names what is at work, as a pipeline."""


def no_progress(stage: str, done: int, total: int, detail: str = "", /) -> None:
    """Show nothing."""


class StageLine:
    """Shows progress on stderr: a line with a clock on a terminal, else a line for each stage."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._stage, self._done, self._total, self._detail = "", 0, 1, ""
        self._began = self._first = 0.0
        self._width = 0
        self._is_live = _can_move(self._stream)

    def __call__(self, stage: str, done: int, total: int, detail: str = "", /) -> None:
        """Show a stage, or a step of it."""
        with self._lock:
            is_new = stage != self._stage
            if is_new:
                self._stage, self._began, self._first = stage, time.monotonic(), done
            self._done, self._total, self._detail = done, total, detail
            if is_new and not self._is_live:
                self._write(f"audioclf: {_begun(stage, total)}\n")
            elif is_new:
                self._draw()

    def __enter__(self) -> Self:
        global _shown
        _shown = self
        if self._is_live:
            threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        global _shown
        _shown = None
        with self._lock:
            self._ended.set()
            self.clear()

    def clear(self) -> None:
        """Remove the line, until the next step or second."""
        with self._lock:
            if self._width:
                self._write("\r" + self._width * " " + "\r")
                self._width = 0

    def _tick(self) -> None:
        while not self._ended.wait(_TICK_SECONDS):
            with self._lock:
                if self._stage and not self._ended.is_set():
                    self._draw()

    def _draw(self) -> None:
        text = self._text()[: shutil.get_terminal_size().columns - 1]
        self._write("\r" + text.ljust(self._width))
        self._width = len(text)

    def _text(self) -> str:
        seconds = time.monotonic() - self._began
        parts = [_counted(self._stage, self._done, self._total)]
        parts += [one_line(self._detail)] if self._detail else []
        parts += [f"{int(seconds) // 60}:{int(seconds) % 60:02d}"]
        steps, rest = self._done - self._first, self._total - self._done
        if seconds > _FIRST_ESTIMATE and steps > 0 and rest > 0:
            parts.append(f"about {human_seconds(seconds / steps * rest)} left")
        return ", ".join(parts)

    def _write(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        with suppress(OSError, ValueError):
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()


_shown: StageLine | None = None


def clear_line() -> None:
    """Remove the moving line, so that a message does not stand behind it."""
    if _shown is not None:
        _shown.clear()


@contextmanager
def shown(progress: bool | Callable[[str, int, int], None] | Progress) -> Iterator[Progress]:
    """Return what to call with progress: a `StageLine` for True, else the callable of the user."""
    if isinstance(progress, StageLine):
        yield progress
    elif callable(progress):
        call = progress
        yield lambda stage, done, total, detail="": call(stage, done, total)
    elif progress:
        with StageLine() as line:
            yield line
    else:
        yield no_progress


def _can_move(stream: TextIO) -> bool:
    """Return whether a line can be overwritten there: on a terminal and in a notebook."""
    if "ipykernel" in sys.modules:
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _begun(stage: str, total: int) -> str:
    name = _NAMES.get(stage, stage)
    if stage == "fitting":
        return f"{total} fits"
    if stage == "curve":
        return f"{total} fits of the learning curve"
    if stage == "unknown":
        return f"{total} fits with a class left out"
    return f"{name}, {total} clips" if stage in ("reading", "headers") else name


def _counted(stage: str, done: int, total: int) -> str:
    name = _NAMES.get(stage, stage)
    if stage == "predict" and total > 1:
        return f"predicting {done / 60:.1f} of {total / 60:.1f} min of sound"
    return f"{name} {done}/{total}" if total > 1 else name
