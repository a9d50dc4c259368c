"""What a process shares with everybody in it, and which foreign code has to leave alone."""

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
from typing import Any

_NUMPY = "numpy's error state"
_BACKEND = "matplotlib's backend"
_FILTERS = "the filters of warnings"
_SET_BY_IMPORTS = frozenset(["the environment variables", _FILTERS, "sys.path", _BACKEND])
"""What the import of a library may set with good reason."""

_DRAWN_BY_IMPORTS = frozenset(["random"])
"""What the import of a library may draw from, as that of rich does: put back, nobody is blamed."""


def global_state() -> dict[str, Any]:
    """Return the settings of the process, by what messages call them."""
    import numpy as np

    return {
        "the working directory": Path.cwd(),
        "the environment variables": dict(os.environ),
        "the locale": locale.setlocale(locale.LC_ALL),
        _FILTERS: list(warnings.filters),
        _NUMPY: np.geterr(),
        "sys.path": list(sys.path),
        _BACKEND: _backend(),
    }


def random_state() -> dict[str, Any]:
    """Return the state of the generators that all code shares, as comparable values."""
    import numpy as np

    state: Any = np.random.get_state()  # noqa: NPY002
    name, keys, *rest = state
    return {"random": random.getstate(), "np.random": (name, keys.tobytes(), *rest)}


@contextlib.contextmanager
def restored_world() -> Iterator[None]:
    """Put back, at the end, whatever the body changed; warnings are not shown meanwhile."""
    world = _World()
    with warnings.catch_warnings():
        # Not `simplefilter`: what a component may call itself has to show as a change.
        warnings.filterwarnings("ignore", message=".*")
        try:
            yield
        finally:
            world.put_back([*world.settings, *world.generators])


@contextlib.contextmanager
def restored_process_state() -> Iterator[list[str]]:
    """Collect the names of what the body changes of the process, and put it back.

    What the import of a library may change is not blamed on a body that imports one. Other threads
    may change something meanwhile, so only the main thread watches; elsewhere nothing is found.
    """
    changed: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield changed
        return
    world, modules = _World(), len(sys.modules)
    blameless: frozenset[str] = frozenset()
    filters = warnings.catch_warnings()
    filters.__enter__()
    try:
        yield changed
    finally:
        found = world.changes()
        if len(sys.modules) != modules:
            found = [name for name in found if name not in _SET_BY_IMPORTS]
            blameless = _DRAWN_BY_IMPORTS
        world.put_back(found)
        if _FILTERS in found:
            filters.__exit__(None, None, None)
        changed += [name for name in found if name not in blameless]


def describe_changes(changed: list[str]) -> str:
    """Return a sentence on what was changed and put back.

    >>> describe_changes(["the locale", "np.random"])
    'it changes the locale and np.random for the whole process, which was put back'
    """
    names = changed[0] if len(changed) == 1 else f"{', '.join(changed[:-1])} and {changed[-1]}"
    return f"it changes {names} for the whole process, which was put back"


class _World:
    """The state of the process at one moment."""

    def __init__(self) -> None:
        import numpy as np

        self.settings, self.generators = global_state(), random_state()
        self.legacy = np.random.get_state()  # noqa: NPY002

    def changes(self) -> list[str]:
        now = {**global_state(), **random_state()}
        before = {**self.settings, **self.generators}
        return [name for name, value in before.items() if now[name] != value]

    def put_back(self, names: list[str]) -> None:
        import numpy as np

        state = self.settings
        actions: dict[str, Callable[[], object]] = {
            "the working directory": lambda: os.chdir(state["the working directory"]),
            "the environment variables": lambda: _set_environment(
                state["the environment variables"]
            ),
            "the locale": lambda: locale.setlocale(locale.LC_ALL, state["the locale"]),
            _NUMPY: lambda: np.seterr(**state[_NUMPY]),
            "sys.path": lambda: sys.path.__setitem__(slice(None), state["sys.path"]),
            _BACKEND: lambda: _set_backend(state[_BACKEND]),
            "random": lambda: random.setstate(self.generators["random"]),
            "np.random": lambda: np.random.set_state(self.legacy),  # noqa: NPY002
        }
        for name in set(names) & set(actions):  # filters are put back by `catch_warnings`
            actions[name]()


def _set_environment(before: dict[str, str]) -> None:
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update({name: text for name, text in before.items() if os.environ.get(name) != text})


def _backend() -> str | None:
    """Return the backend that was chosen; None where none was, or matplotlib is not loaded."""
    matplotlib = sys.modules.get("matplotlib")
    found = dict.get(getattr(matplotlib, "rcParams", {}), "backend")
    return found if isinstance(found, str) else None


def _set_backend(before: str | None) -> None:
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is not None and _backend() != before:
        automatic = matplotlib.rcsetup._auto_backend_sentinel  # noqa: SLF001
        matplotlib.rcParams["backend"] = automatic if before is None else before
