"""State of the process that all code shares, and that foreign code must not change."""

from __future__ import annotations

import contextlib
import locale
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

_FILTERS = "the filters of warnings"


class _Part(NamedTuple):
    """One part of the state: how to read it as a comparable value, and how to put it back."""

    read: Callable[[], Any]
    put_back: Callable[[Any], object]


def global_state() -> dict[str, Any]:
    """Return the settings of the process, by their names in messages."""
    return {name: part.read() for name, part in _SETTINGS.items()}


def random_state() -> dict[str, Any]:
    """Return the state of the generators that all code shares, as comparable values."""
    return {name: part.read() for name, part in _GENERATORS.items()}


@contextlib.contextmanager
def isolated_process_state() -> Iterator[None]:
    """Put back, at the end, whatever the body changed; warnings are not shown meanwhile."""
    before = _state()
    with warnings.catch_warnings():
        # Not `simplefilter`: a component's own call of it must show as a change.
        warnings.filterwarnings("ignore", message=".*")
        try:
            yield
        finally:
            _put_back(before)


@contextlib.contextmanager
def restored_process_state() -> Iterator[list[str]]:
    """Collect the names of the parts that the body changes, and put them back.

    A change that the import of a library may make is no finding while the body imports one. Other
    threads may change the state meanwhile, so outside of the main thread nothing is observed.
    """
    changed: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield changed
        return
    before, modules = _state(), len(sys.modules)
    filters = warnings.catch_warnings()
    filters.__enter__()
    try:
        yield changed
    finally:
        after = _state()
        names = [name for name in before if after[name] != before[name]]
        excused: tuple[str, ...] = ()
        if len(sys.modules) != modules:
            names = [name for name in names if name not in _SET_BY_IMPORTS]
            excused = ("random",)  # an import may draw from it, as that of rich does
        _put_back({name: before[name] for name in names})
        if _FILTERS in names:
            filters.__exit__(None, None, None)
        changed += [name for name in names if name not in excused]


def describe_changes(changed: list[str]) -> str:
    """Return a sentence about the parts that were changed and put back.

    >>> describe_changes(["the locale", "np.random"])
    'it changes the locale and np.random for the whole process, which was put back'
    """
    names = changed[0] if len(changed) == 1 else f"{', '.join(changed[:-1])} and {changed[-1]}"
    return f"it changes {names} for the whole process, which was put back"


def _state() -> dict[str, Any]:
    _numpy()  # its first import changes the filters of warnings, which are read below
    return {name: part.read() for name, part in _PARTS.items()}


def _put_back(values: dict[str, Any]) -> None:
    for name, value in values.items():
        _PARTS[name].put_back(value)


def _set_environment(before: dict[str, str]) -> None:
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update({name: text for name, text in before.items() if os.environ.get(name) != text})


def _numpy() -> Any:
    import numpy as np

    return np


def _numpy_generator() -> Any:
    name, keys, *rest = _numpy().random.get_state()
    return name, keys.tobytes(), *rest


def _set_numpy_generator(before: Any) -> None:
    name, keys, *rest = before
    _numpy().random.set_state((name, _numpy().frombuffer(keys, "uint32"), *rest))


def _backend() -> str | None:
    """Return the chosen backend of matplotlib; None if none was chosen or it is not loaded."""
    matplotlib = sys.modules.get("matplotlib")
    backend = dict.get(getattr(matplotlib, "rcParams", {}), "backend")
    return backend if isinstance(backend, str) else None


def _set_backend(before: str | None) -> None:
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is not None and _backend() != before:
        automatic = matplotlib.rcsetup._auto_backend_sentinel  # noqa: SLF001
        matplotlib.rcParams["backend"] = automatic if before is None else before


_SETTINGS = {
    "the working directory": _Part(Path.cwd, os.chdir),
    "the environment variables": _Part(lambda: dict(os.environ), _set_environment),
    "the locale": _Part(
        lambda: locale.setlocale(locale.LC_ALL),
        lambda before: locale.setlocale(locale.LC_ALL, before),
    ),
    # `catch_warnings` puts them back.
    _FILTERS: _Part(lambda: list(warnings.filters), lambda before: None),
    "numpy's error state": _Part(
        lambda: _numpy().geterr(), lambda before: _numpy().seterr(**before)
    ),
    "sys.path": _Part(
        lambda: list(sys.path), lambda before: sys.path.__setitem__(slice(None), before)
    ),
    "matplotlib's backend": _Part(_backend, _set_backend),
}
_GENERATORS = {
    "random": _Part(random.getstate, random.setstate),
    "np.random": _Part(_numpy_generator, _set_numpy_generator),
}
_PARTS = {**_SETTINGS, **_GENERATORS}
_SET_BY_IMPORTS = ("the environment variables", _FILTERS, "sys.path", "matplotlib's backend")
"""Parts that the import of a library may set with good reason."""
