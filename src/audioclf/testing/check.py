"""A check: one promise, by name, that a component keeps or breaks.

A check is a function of a component that returns nothing, raises `CheckFailedError` with a sentence
that says which promise is broken and how, or `CheckSkippedError` where the promise does not apply.
Whatever else the component raises is a failure, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from audioclf.base.errors import AudioclfError
from audioclf.base.process_state import isolated_process_state
from audioclf.components.component import KINDS, Component, Kind
from audioclf.components.registry import suggest
from audioclf.testing.elsewhere import is_known_to_end

Status = Literal["ok", "failed", "skipped", "expected"]
"""`expected` is a failure that was announced, with its reason."""

_ELSEWHERE = ("comes_back_in_time", "leaves_the_interpreter_running")
"""Checks that use the component in another process."""


class CheckFailedError(AssertionError):
    """A component breaks a promise; the message says which and how."""


class CheckSkippedError(Exception):
    """A check does not apply to a component; the message says why."""


@dataclass(frozen=True)
class Check:
    """One promise.

    Parameters
    ----------
    name : str
        As in `same_seed_same_output`.
    kinds : tuple of Kind
        Whose promise it is.
    promise : str
        The promise in a sentence.
    function : callable
        The check itself.
    """

    name: str
    kinds: tuple[Kind, ...]
    promise: str
    function: Callable[[Any], None]

    def __call__(self, component: Component) -> None:
        """Check a component; what it changes of the process is put back afterwards.

        Raises
        ------
        CheckFailedError
            If the promise is broken.
        CheckSkippedError
            If the check does not apply.
        """
        if self.name not in _ELSEWHERE and is_known_to_end(component):
            raise CheckSkippedError("not tried, since the verb hangs or ends the process")
        with isolated_process_state():
            self.function(component)


@dataclass(frozen=True)
class Outcome:
    """What became of one check.

    Parameters
    ----------
    name, promise : str
    status : {"ok", "failed", "skipped", "expected"}
    message : str
        Why, unless it is ok.
    """

    name: str
    promise: str
    status: Status
    message: str = ""


_CHECKS: dict[str, Check] = {}


def promise(*kinds: Kind) -> Callable[[Callable[[Any], None]], Check]:
    """Register a function as a check of components of these kinds; of all, if none is named.

    The name is that of the function, the promise the first line of its docstring.
    """

    def register(function: Callable[[Any], None]) -> Check:
        line = (function.__doc__ or "").strip().split("\n")[0]
        made = Check(function.__name__, kinds or KINDS, line, function)
        _CHECKS[made.name] = made
        return made

    return register


def checks_for(component: Component) -> tuple[Check, ...]:
    """Return the checks of a component, those that all kinds have in common first."""
    found = [check for check in _CHECKS.values() if component.kind in check.kinds]
    return tuple(sorted(found, key=lambda check: -len(check.kinds)))


def run_check(component: Component, check: Check) -> Outcome:
    """Run one check and return what became of it, whatever the component raises."""
    try:
        check(component)
    except CheckSkippedError as exc:
        return Outcome(check.name, check.promise, "skipped", str(exc))
    except (Exception, SystemExit) as exc:  # noqa: BLE001  foreign code may raise anything
        return Outcome(check.name, check.promise, "failed", said(exc))
    return Outcome(check.name, check.promise, "ok")


def run_checks(
    component: Component, *, expected_failed_checks: Mapping[str, str] | None = None
) -> Iterator[Outcome]:
    """Yield what becomes of each check of a component.

    Parameters
    ----------
    component : Component
    expected_failed_checks : mapping of str to str, optional
        Reason by name of the check; by default what the class announces. One that passes all the
        same has failed: the announcement is no longer true.

    Raises
    ------
    ValueError
        If no check has such a name.
    """
    expected = expected_failures(component, expected_failed_checks)
    for check in checks_for(component):
        yield _judged(run_check(component, check), expected.get(check.name))


def expected_failures(component: Component, given: Mapping[str, str] | None) -> dict[str, str]:
    """Return which checks are expected to fail, with the reasons.

    Raises
    ------
    ValueError
        If no check of this component has such a name.
    """
    expected = component.expected_failed_checks if given is None else given
    known = [check.name for check in checks_for(component)]
    for name in expected:
        if name not in known:
            near = suggest(name, known) or f"There are {', '.join(known)}."
            raise ValueError(f"no check of a {component.kind} is called {name!r}. {near}")
    return dict(expected)


def _judged(outcome: Outcome, reason: str | None) -> Outcome:
    if reason is None or outcome.status == "skipped":
        return outcome
    if outcome.status == "failed":
        return Outcome(outcome.name, outcome.promise, "expected", reason)
    message = f"it was expected to fail ({reason}), and passes: take it off the list"
    return Outcome(outcome.name, outcome.promise, "failed", message)


def said(exc: BaseException) -> str:
    """Return in one line what an exception says; foreign ones with their type."""
    known = isinstance(exc, CheckFailedError | AudioclfError)
    text = " ".join(str(getattr(exc, "message", exc)).split())
    return text if known else f"it raised {type(exc).__name__}: {text}"
