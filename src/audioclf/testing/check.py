"""Checks: one named promise of a component each.

A check is a function of a component. It raises `CheckFailedError` with a sentence on the broken
promise, or `CheckSkippedError` if the promise does not apply. Any other exception of the component
is a failure, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from audioclf.base.errors import AudioclfError
from audioclf.base.process_state import isolated_process_state
from audioclf.components.classifier import Classifier
from audioclf.components.component import KINDS, Component, Kind
from audioclf.components.registry import suggest
from audioclf.testing.other_process import is_known_to_end

Status = Literal["ok", "failed", "skipped", "expected"]
"""`expected` is a failure that was declared in advance, with its reason."""

_IN_OTHER_PROCESS = ("comes_back_in_time", "leaves_the_interpreter_running")
"""Checks that use the component in another process."""


class CheckFailedError(AssertionError):
    """A component breaks a promise; the message describes how."""


class CheckSkippedError(Exception):
    """A check does not apply to a component; the message is the reason."""


@contextmanager
def no_error(what: str) -> Iterator[None]:
    """Turn an error of the component into `CheckFailedError`, whose message begins with `what`."""
    try:
        yield
    except Exception as exc:
        raise CheckFailedError(f"{what} {type(exc).__name__}: {exc}") from exc


@dataclass(frozen=True)
class Check:
    """One promise.

    Parameters
    ----------
    name : str
        Such as `same_seed_same_output`.
    kinds : tuple of Kind
        Kinds of components that it applies to.
    promise : str
        The promise in a sentence.
    function : callable
        The check itself.
    target : {"class", "number"}, optional
        What the classifiers learn that it applies to; by default either.
    """

    name: str
    kinds: tuple[Kind, ...]
    promise: str
    function: Callable[[Any], None]
    target: Literal["class", "number"] | None = None

    def __call__(self, component: Component) -> None:
        """Check a component; its changes of the process state are restored afterwards.

        Raises
        ------
        CheckFailedError
            If the promise is broken.
        CheckSkippedError
            If the check does not apply.
        """
        if self.name not in _IN_OTHER_PROCESS and is_known_to_end(component):
            raise CheckSkippedError("skipped, because the component hangs or ends the process")
        with isolated_process_state():
            self.function(component)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one check.

    `message` is the reason, unless the status is "ok".
    """

    name: str
    promise: str
    status: Status
    message: str = ""


_CHECKS: dict[str, Check] = {}


def promise(
    *kinds: Kind, target: Literal["class", "number"] | None = None
) -> Callable[[Callable[[Any], None]], Check]:
    """Register a function as a check of components of these kinds; by default of all kinds.

    The name is that of the function, the promise the first line of its docstring.
    """

    def register(function: Callable[[Any], None]) -> Check:
        line = (function.__doc__ or "").strip().split("\n")[0]
        check = Check(function.__name__, kinds or KINDS, line, function, target)
        _CHECKS[check.name] = check
        return check

    return register


def checks_for(component: Component) -> tuple[Check, ...]:
    """Return the checks of a component, first those common to all kinds."""
    learned = component.learns() if isinstance(component, Classifier) else None
    checks = [
        check
        for check in _CHECKS.values()
        if component.kind in check.kinds and check.target in (None, learned)
    ]
    return tuple(sorted(checks, key=lambda check: -len(check.kinds)))


def run_check(component: Component, check: Check) -> Outcome:
    """Run one check and return its outcome, whatever the component raises."""
    try:
        check(component)
    except CheckSkippedError as exc:
        return Outcome(check.name, check.promise, "skipped", str(exc))
    except (Exception, SystemExit) as exc:  # noqa: BLE001  foreign code may raise anything
        return Outcome(check.name, check.promise, "failed", message_of(exc))
    return Outcome(check.name, check.promise, "ok")


def run_checks(
    component: Component, *, expected_failed_checks: Mapping[str, str] | None = None
) -> Iterator[Outcome]:
    """Yield the outcome of each check of a component.

    Parameters
    ----------
    component : Component
    expected_failed_checks : mapping of str to str, optional
        Reason by name of the check; by default those that the class declares. An expected failure
        that passes counts as failed.

    Raises
    ------
    ValueError
        If no check has such a name.
    """
    expected = expected_failures(component, expected_failed_checks)
    for check in checks_for(component):
        yield _with_expectation(run_check(component, check), expected.get(check.name))


def expected_failures(component: Component, given: Mapping[str, str] | None) -> dict[str, str]:
    """Return which checks are expected to fail, with the reasons."""
    expected = component.expected_failed_checks if given is None else given
    known = [check.name for check in checks_for(component)]
    for name in expected:
        if name not in known:
            near = suggest(name, known) or f"There are {', '.join(known)}."
            raise ValueError(f"no check of a {component.kind} is called {name!r}. {near}")
    return dict(expected)


def _with_expectation(outcome: Outcome, reason: str | None) -> Outcome:
    if reason is None or outcome.status == "skipped":
        return outcome
    if outcome.status == "failed":
        return Outcome(outcome.name, outcome.promise, "expected", reason)
    message = f"it was expected to fail ({reason}), but passes: remove it from the list"
    return Outcome(outcome.name, outcome.promise, "failed", message)


def message_of(exc: BaseException) -> str:
    """Return the message of an exception in one line; foreign ones with their type."""
    known = isinstance(exc, CheckFailedError | AudioclfError)
    text = " ".join(str(getattr(exc, "message", exc)).split())
    return text if known else f"it raised {type(exc).__name__}: {text}"
