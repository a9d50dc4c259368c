"""Refusals of model files: the check that failed, and the reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import ValidationError

from audioclf.base.errors import AudioclfError, ModelError

Stage = Literal[
    "archive",
    "digest",
    "manifest",
    "version",
    "component",
    "weights",
    "type",
    "structure",
    "score",
    "feature",
]
"""The checks of a model file, in the order in which they are made."""

_LONGEST = 800


class RefusedError(Exception):
    """A failed check; `naming` turns it into a `ModelError` with the name of the file.

    `what` gives actual and expected value, as the end of a sentence.
    """

    def __init__(self, stage: Stage, what: str, *, hint: str | None = None) -> None:
        super().__init__(what)
        self.stage = stage
        self.what = what
        self.hint = hint


@contextmanager
def naming(file: str) -> Iterator[None]:
    """Turn a refusal into the `ModelError` that names the file."""
    try:
        yield
    except RefusedError as exc:
        message = f"{file}: refused by the {exc.stage} check: {_cut(exc.what)}"
        raise ModelError(message, hint=exc.hint) from exc


@contextmanager
def refusing(stage: Stage, what: str, *, hint: str | None = None) -> Iterator[None]:
    """Turn any error that untrusted bytes cause into a refusal: `what`, then the reason."""
    try:
        yield
    except RefusedError:
        raise
    except AudioclfError as exc:
        raise RefusedError(stage, f"{what}: {exc.message}", hint=exc.hint or hint) from exc
    except Exception as exc:
        raise RefusedError(stage, f"{what}: {reason(exc)}", hint=hint) from exc


def reason(exc: Exception) -> str:
    """Return the message of an exception on one line, with its type unless it is a ValueError."""
    if isinstance(exc, ValidationError):
        exc = ValueError(": ".join(first_problem(exc)))
    text = " ".join(str(exc).split())[:300]
    return text if type(exc) is ValueError and text else f"{type(exc).__name__}: {text}"


def first_problem(exc: ValidationError) -> tuple[str, str]:
    """Return the position of the first invalid value, and the problem."""
    errors = exc.errors(include_url=False, include_input=False, include_context=False)
    place = ".".join(str(part) for part in errors[0]["loc"])[:200] or "as a whole"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return place, f"{errors[0]['msg'][:200]}{more}"


def _cut(what: str) -> str:
    """Shorten a sentence that untrusted names make too long; both ends stay."""
    return what if len(what) <= _LONGEST else f"{what[: _LONGEST // 2]} [...] {what[-150:]}"
