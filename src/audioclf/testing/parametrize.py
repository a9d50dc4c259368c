"""The checks as pytest tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from audioclf.testing.check import Check, CheckSkippedError, checks_for, expected_failures
from audioclf.testing.common import expect_check_of

if TYPE_CHECKING:
    from pytest import MarkDecorator  # noqa: PT013  a type alone: the kit works without pytest

    from audioclf.components.component import Component

_SHOWN = 40


def parametrize_with_checks(
    components: Iterable[Component], *, expected_failed_checks: Mapping[str, str] | None = None
) -> MarkDecorator:
    """Return a decorator that runs a test with each component and each of its checks.

    Parameters
    ----------
    components : iterable of Component
    expected_failed_checks : mapping of str to str, optional
        Reason by name of the check that all of them fail. These are strict expected failures: one
        that passes is an error. By default `expected_failed_checks` of each class.

    Raises
    ------
    ValueError
        If no check has such a name.

    Examples
    --------
    >>> from audioclf.builtin.classifiers.dummy import Dummy
    >>> @parametrize_with_checks(
    ...     [Dummy()], expected_failed_checks={"learns_a_separable_toy": "it guesses on purpose"}
    ... )
    ... def test_promises(component, check):
    ...     check(component)
    """
    import pytest

    cases = []
    for component in components:
        expect_check_of(component)
        expected = expected_failures(component, expected_failed_checks)
        for check in checks_for(component):
            reason = expected.get(check.name)
            marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
            name = f"{component_id(component)}-{check.name}"
            cases.append(pytest.param(component, _Test(check), id=name, marks=marks))
    return pytest.mark.parametrize(("component", "check"), cases)


class _Test:
    """A check that skips by pytest."""

    def __init__(self, check: Check) -> None:
        self.check = check

    def __call__(self, component: Component) -> None:
        import pytest

        try:
            self.check(component)
        except CheckSkippedError as exc:
            pytest.skip(str(exc))


def component_id(component: Component) -> str:
    """Return the type of a component, and the fields that differ from their defaults.

    Paths are shortened to their names: temporary folders differ between the processes of
    pytest-xdist, and the ids of tests must not.

    >>> from audioclf.builtin.classifiers.knn import Knn
    >>> component_id(Knn()), component_id(Knn(n_neighbors=1))
    ('knn', 'knn(n_neighbors=1)')
    """
    fields = type(component).model_fields
    changed = [
        f"{name}={value.name if isinstance(value, Path) else value}"
        for name, value in component
        if value != fields[name].default
    ]
    text = ", ".join(changed)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"{component.type_name()}({shown})" if changed else component.type_name()
