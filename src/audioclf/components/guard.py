"""Guard around the code of components: its errors, its warnings and its effects on the process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from audioclf.base.errors import AudioclfError, PluginError
from audioclf.base.process_state import describe_changes, restored_process_state

if TYPE_CHECKING:
    from audioclf.components.loader import Loader
    from audioclf.components.registry import Registry
    from audioclf.dataset.dataset import Dataset

FOREIGN = (Exception, SystemExit)
"""What foreign code may raise; Ctrl-C and SIGTERM are not among it."""


def error_text(exc: BaseException) -> str:
    """Return the type and the message of an exception in one line.

    >>> error_text(ValueError("not today")), error_text(KeyError())
    ('ValueError: not today', 'KeyError')
    """
    return f"{type(exc).__name__}: {' '.join(str(exc).split())}".removesuffix(": ")


@contextmanager
def guard(
    where: str,
    error: type[AudioclfError],
    *,
    known: Callable[[AudioclfError], AudioclfError] | None = None,
    hint: Callable[[str], str | None] = lambda text: None,
) -> Iterator[None]:
    """Turn whatever foreign code raises into an error that names the code and the place.

    `known` turns an `AudioclfError` into the error to raise; by default one of the same class that
    begins with `where`. `hint` returns a hint for the text of another error, if it has one.
    """
    try:
        yield
    except AudioclfError as exc:
        if known is not None:
            raise known(exc) from exc
        raise type(exc)(f"{where}: {exc.message}", hint=exc.hint) from exc
    except FOREIGN as exc:
        text = error_text(exc)
        raise error(f"{where} raised {text}", hint=hint(text)) from exc


@contextmanager
def recorded(*, with_warnings: bool = True) -> Iterator[list[str]]:
    """Collect warnings and changes of process state of the body at its end; restore the state."""
    remarks: list[str] = []
    catch = warnings.catch_warnings(record=True) if with_warnings else nullcontext()
    with catch as caught:
        if with_warnings:
            warnings.simplefilter("always")
        with restored_process_state() as changed:
            yield remarks
    texts = {" ".join(str(warning.message).split()) for warning in caught or ()}
    if changed:
        texts.add(describe_changes(changed))
    remarks += sorted(texts)


def load_guarded(loader: Loader, registry: Registry) -> Dataset:
    """Load a dataset; a change of process state becomes a note of it."""
    from audioclf.dataset.dataset import Dataset

    where = f"loader {registry.describe(loader)}"
    with guard(where, PluginError, known=lambda exc: exc), recorded(with_warnings=False) as remarks:
        dataset = loader.load()
    if not isinstance(dataset, Dataset):
        raise PluginError(f"{where} returned {type(dataset).__name__} instead of a Dataset")
    dataset.notes = (*dataset.notes, *(f"{where}: {remark}" for remark in remarks))
    return dataset
