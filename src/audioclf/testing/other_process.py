"""Use of a component in another process, which may hang or crash."""

from __future__ import annotations

import atexit
from dataclasses import dataclass

from audioclf.components.component import Component
from audioclf.engines.base import Job, pack
from audioclf.engines.process import Worker, WorkerGoneError, WorkerLateError
from audioclf.testing.exercise import exercise

MAX_SECONDS = 600.0
"""Time limit of one use of a component: far above the time of imports on a busy machine."""

_JOB = pack(Job(exercise))


@dataclass(frozen=True)
class Ending:
    """How the other process ended; `how` is empty if it is alive."""

    how: str = ""
    is_late: bool = False


class _OtherProcess:
    """One worker for all components, because a new one repeats all imports."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.last: tuple[Component, Ending] | None = None

    def ending(self, component: Component) -> Ending:
        # Two checks use the result; a component that hangs is waited for once.
        if self.last is None or self.last[0] is not component:
            self.last = component, self._tried(component)
        return self.last[1]

    def _tried(self, component: Component) -> Ending:
        if self.worker is None:
            self.worker = Worker()
        try:
            self.worker.load(_JOB)
            outcome = self.worker.run(pack(component), MAX_SECONDS)
        except WorkerGoneError as exc:
            self.worker = None
            return Ending(str(exc), isinstance(exc, WorkerLateError))
        message = str(getattr(outcome, "message", ""))
        return Ending(message) if message.startswith("SystemExit") else Ending()

    def close(self) -> None:
        if self.worker is not None:
            self.worker.dismiss()
            self.worker.close()


_process = _OtherProcess()
atexit.register(_process.close)


def is_known_to_end(component: Component) -> bool:
    """Whether it hung or ended the other process, so it must not be used in this one."""
    if _process.last is None or _process.last[0] is not component:
        return False
    how = _process.last[1].how
    return bool(how) and not how.startswith("SystemExit")


def exercised_in_other_process(component: Component) -> Ending:
    """Return how a process that uses the component ends."""
    return _process.ending(component)
