"""Conformance kit: the promises of components, as checks for plugin authors.

A plugin's whole test file can be this:

>>> from audioclf.builtin.classifiers.knn import Knn
>>> from audioclf.testing import parametrize_with_checks
>>> @parametrize_with_checks([Knn(), Knn(n_neighbors=1)])
... def test_promises(component, check):
...     check(component)

Each check is one promise with a name. Without pytest, `run_checks` yields the outcome of each one,
as `audioclf plugins check NAME` prints it.
"""

# These modules register their checks.
from audioclf.testing import augmenters, classifiers, common, featurizers, loaders  # noqa: F401
from audioclf.testing.check import (
    Check,
    CheckFailedError,
    CheckSkippedError,
    Outcome,
    checks_for,
    run_check,
    run_checks,
)
from audioclf.testing.example import example_sounds
from audioclf.testing.parametrize import parametrize_with_checks

__all__ = [
    "Check",
    "CheckFailedError",
    "CheckSkippedError",
    "Outcome",
    "checks_for",
    "example_sounds",
    "parametrize_with_checks",
    "run_check",
    "run_checks",
]
