"""Checks of all components."""

# ruff: noqa: D401  docstrings here are the promises that a user reads
from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import ValidationError

from audioclf.components.component import Component
from audioclf.components.fields import ComponentBuilder, validate_component
from audioclf.testing.check import CheckFailedError, CheckSkippedError, no_error, promise
from audioclf.testing.exercise import observed, once
from audioclf.testing.other_process import exercised_in_other_process

HEAVY = frozenset(
    (
        *("numpy", "scipy", "sklearn", "librosa", "numba", "soundfile", "soxr", "matplotlib"),
        *("joblib", "pandas", "xgboost", "lightgbm", "catboost", "torch", "torchaudio"),
        *("tensorflow", "keras", "jax", "transformers"),
    )
)
"""Libraries to be imported inside methods, because every command imports every plugin."""

_TYPE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_UNKNOWN_KEY = "no_component_has_this_key"


@promise()
def type_name_is_plain(component: Component) -> None:
    """The type is the default of its Literal: lower-case letters, digits and `_`."""
    name, default = getattr(component, "type", None), component.type_name()
    if not _TYPE_NAME.fullmatch(default) or name != default:
        raise CheckFailedError(
            f"the type is {name!r}, expected lower-case letters, digits and _, as in 'my_type'"
        )


@promise()
def has_a_summary(component: Component) -> None:
    """The class has a docstring, whose first line is its summary."""
    if not component.summary():
        raise CheckFailedError(
            f"{type(component).__name__} has no docstring; `audioclf plugins` shows its first line"
        )


@promise()
def every_field_is_described(component: Component) -> None:
    """Every field has a description: the string below it."""
    fields = type(component).model_fields.items()
    undescribed = [
        name for name, field in fields if name != "type" and not (field.description or "").strip()
    ]
    if undescribed:
        raise CheckFailedError(f"there is no docstring below the field {_names(undescribed)}")


@promise()
def refuses_unknown_keys(component: Component) -> None:
    """Unknown keys are refused, such as misspelt ones in a config."""
    data = {**_plain(component), _UNKNOWN_KEY: 1}
    try:
        _validated(component, data)
    except ValidationError as exc:
        if any(error["loc"] == (_UNKNOWN_KEY,) for error in exc.errors()):
            return
        raise
    raise CheckFailedError('an unknown key is accepted; keep `extra="forbid"` of the base')


@promise()
def is_frozen_and_hashable(component: Component) -> None:
    """Fields cannot be set, and equal components have equal hashes."""
    name = next(iter(type(component).model_fields))
    changed = component.model_copy()
    try:
        setattr(changed, name, getattr(component, name))
    except (ValidationError, AttributeError, TypeError):
        pass
    else:
        raise CheckFailedError(f"the field {name} can be set; keep `frozen=True` of the base")
    try:
        same = hash(component) == hash(component.model_copy())
    except TypeError as exc:
        raise CheckFailedError(f"it has no hash ({exc}); use tuples instead of lists") from exc
    if not same:
        raise CheckFailedError("two equal components have different hashes")


@promise()
def round_trips_through_json(component: Component) -> None:
    """Writing as JSON and reading gives an equal component."""
    again = _validated(component, _plain(component))
    if again != component:
        raise CheckFailedError(f"{component!r} was written as JSON and read back as {again!r}")


@promise()
def pickles(component: Component) -> None:
    """The component pickles, so that worker processes can use it."""
    with no_error("it does not pickle:"):
        again = pickle.loads(pickle.dumps(component))  # noqa: S301  written a moment ago
    if again != component:
        raise CheckFailedError(f"{component!r} was pickled and unpickled as {again!r}")


@promise()
def imports_nothing_heavy(component: Component) -> None:
    """Importing the module imports no heavy library; methods do that."""
    libraries = _imported_by(type(component).__module__)
    if libraries:
        raise CheckFailedError(
            f"importing {type(component).__module__} imports {_names(libraries)}; import inside "
            "the method that needs it"
        )


@promise()
def comes_back_in_time(component: Component) -> None:
    """The methods return within ten minutes on the small data of the kit."""
    ending = exercised_in_other_process(component)
    if ending.is_late:
        raise CheckFailedError(f"the component does not return: {ending.how}")


@promise()
def leaves_the_interpreter_running(component: Component) -> None:
    """The methods do not end the process."""
    ending = exercised_in_other_process(component)
    if ending.how and not ending.is_late:
        message = f"the component ends the process: {ending.how}; raise an error instead"
        raise CheckFailedError(message)


@promise()
def writes_nothing_to_stdout(component: Component) -> None:
    """Nothing is written to stdout, which is reserved for the results of commands."""
    if text := once(component, observed).written:
        first = text.strip().split("\n")[0][:60]
        raise CheckFailedError(f"it writes to stdout: {first!r}; use `logging` or `warnings`")


@promise()
def leaves_random_state_alone(component: Component) -> None:
    """Global random generators are neither used nor seeded."""
    if touched := once(component, observed).random:
        raise CheckFailedError(
            f"it draws from or seeds {_names(touched)}; use `np.random.default_rng(seed)`"
        )


@promise()
def leaves_global_state_alone(component: Component) -> None:
    """Directory, environment, locale, warning filters and numpy's error state stay as they are."""
    if changed := once(component, observed).settings:
        raise CheckFailedError(f"it changes {_names(changed)} for the whole process")


def _plain(component: Component) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(component.model_dump_json())
    return data


def _validated(component: Component, data: dict[str, Any]) -> Component:
    return validate_component(type(component), data, {"build": _builder(component)})


def _builder(component: Component) -> ComponentBuilder:
    """Return a builder that finds the classes of the components inside this one."""
    classes = {(part.kind, part.type_name()): type(part) for part in _parts(component)}
    return lambda kind, data, context: validate_component(
        classes[kind, data["type"]], data, context
    )


def _parts(value: object) -> Iterator[Component]:
    if isinstance(value, Component):
        yield value
        for _, inner in value:
            yield from _parts(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from _parts(inner)


_IMPORT = """
import importlib, importlib.util, json, sys
before = set(sys.modules)
for name in {names!r}:
    try:
        exists = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        exists = False
    if not exists:
        break
    importlib.import_module(name)
print()
print(json.dumps(sorted(set({heavy!r}) & (set(sys.modules) - before)) if exists else None))
"""

_expected_modules: set[str] = set()


def expect_check_of(component: Component) -> None:
    """Register the module of a component, so that one process imports all such modules."""
    _expected_modules.add(type(component).__module__)


def _imported_by(module: str) -> list[str]:
    """Return the heavy libraries that a fresh process has after the import of a module."""
    done = _import_process(frozenset(_expected_modules | {module}))
    if done.returncode or done.stdout.splitlines()[-1] != "[]":
        done = _import_process(frozenset({module}))
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CheckFailedError(f"{module} cannot be imported in a fresh process: {last}")
    libraries: list[str] | None = json.loads(done.stdout.splitlines()[-1])
    if libraries is None or module == "__main__":
        raise CheckSkippedError(f"the module {module} cannot be imported by its name")
    return libraries


@cache
def _import_process(modules: frozenset[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  this interpreter, on modules that it has imported
        [sys.executable, "-c", _IMPORT.format(names=sorted(modules), heavy=sorted(HEAVY))],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def _names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
