"""What a process shares with everybody in it, and which a component has to leave alone."""

from __future__ import annotations

import contextlib
import io
import locale
import os
import random
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


def global_state() -> dict[str, Any]:
    """Return the settings of the process, by what messages call them."""
    return {
        "the working directory": Path.cwd(),
        "the environment variables": dict(os.environ),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the filters of warnings": list(warnings.filters),
        "numpy's error state": np.geterr(),
        "sys.path": list(sys.path),
    }


def random_state() -> dict[str, Any]:
    """Return the state of the generators that all code shares, as comparable values."""
    return {"random": random.getstate(), "np.random": repr(np.random.get_state())}  # noqa: NPY002


@contextlib.contextmanager
def restored_world() -> Iterator[None]:
    """Put back, at the end, whatever the body changed; warnings are not shown meanwhile."""
    state, legacy = global_state(), (random.getstate(), np.random.get_state())  # noqa: NPY002
    with warnings.catch_warnings():
        # Not `simplefilter`: what a component may call itself has to show as a change.
        warnings.filterwarnings("ignore", message=".*")
        try:
            yield
        finally:
            os.chdir(state["the working directory"])
            _restore_environment(state["the environment variables"])
            locale.setlocale(locale.LC_ALL, state["the locale"])
            np.seterr(**state["numpy's error state"])
            sys.path[:] = state["sys.path"]
            random.setstate(legacy[0])
            np.random.set_state(legacy[1])  # noqa: NPY002


def _restore_environment(before: dict[str, str]) -> None:
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update({name: text for name, text in before.items() if os.environ.get(name) != text})


@dataclass
class Written:
    """What was written to stdout, by Python and by the libraries below it."""

    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.parts)


@contextlib.contextmanager
def captured_stdout() -> Iterator[Written]:
    """Keep what the body writes to `sys.stdout` and to the file descriptor below it."""
    written, python = Written(), io.StringIO()
    with tempfile.TemporaryFile() as below:
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(below.fileno(), 1)
        try:
            with contextlib.redirect_stdout(python):
                yield written
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            below.seek(0)
            written.parts += [python.getvalue(), below.read().decode(errors="replace")]
