"""Use a component in another process, which may hang or end without harm."""

from __future__ import annotations

import atexit
from dataclasses import dataclass

from audioclf.components.component import Component
from audioclf.engines.base import Job, pack
from audioclf.engines.process import Worker, WorkerGoneError, WorkerLateError
from audioclf.testing.exercise import exercise

MAX_SECONDS = 600.0
"""How long one use of a component may take: far above what imports take on a busy machine."""

_JOB = pack(Job(exercise))


@dataclass(frozen=True)
class Ending:
    """How the other process ended; `how` is empty where it goes on."""

    how: str = ""
    is_late: bool = False


class _Elsewhere:
    """One worker for all components, since a new one imports everything anew."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.last: tuple[Component, Ending] | None = None

    def ending(self, component: Component) -> Ending:
        # Both checks ask, one after the other; a component that hangs is waited for once.
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
        said = str(getattr(outcome, "message", ""))
        return Ending(said) if said.startswith("SystemExit") else Ending()

    def close(self) -> None:
        if self.worker is not None:
            self.worker.dismiss()
            self.worker.close()


_elsewhere = _Elsewhere()
atexit.register(_elsewhere.close)


def is_known_to_end(component: Component) -> bool:
    """Whether it hung or ended the other process, so that it must not be used in this one."""
    if _elsewhere.last is None or _elsewhere.last[0] is not component:
        return False
    how = _elsewhere.last[1].how
    return bool(how) and not how.startswith("SystemExit")


def exercised_elsewhere(component: Component) -> Ending:
    """Return how a process ends that uses the component; one that cannot go there is not tried."""
    return _elsewhere.ending(component)
