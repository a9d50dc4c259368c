"""Everything that determines the numbers of a component: configuration, code and versions."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from pydantic import BaseModel

from audioclf._version import __version__
from audioclf.base.machine import versions_behind

if TYPE_CHECKING:
    from audioclf.components.registry import Origin


def made_by(
    component: BaseModel, origin: Origin | None, *, libraries: tuple[str, ...], exclude: str = ""
) -> list[object] | None:
    """Return, as JSON, what decides about the numbers that a component computes.

    Parameters
    ----------
    component : BaseModel
    origin : Origin or None
    libraries : tuple of str
        Distributions that our own components compute with.
    exclude : str
        A field that does not count.

    Returns
    -------
    ingredients : list or None
        None where they cannot all be known: see `KeyMaker.make`.
    """
    inside = list(_inside(value for name, value in component if name != exclude))
    models = [component, *(part for part in inside if isinstance(part, BaseModel))]
    code = {name: _code(sys.modules.get(name)) for name in _packages(models)}
    files = [_file_digest(part) for part in inside if isinstance(part, Path)]
    if origin is None or None in code.values() or None in files:
        return None
    return [
        component.model_dump(mode="json", exclude={exclude}),
        # Each on its own: an annotation with a base class would leave out fields.
        [part.model_dump(mode="json") for part in models[1:]],
        [f"{type(each).__module__}:{type(each).__qualname__}" for each in models],
        files,
        [origin.distribution, origin.version],
        __version__,
        code,
        _libraries(libraries) | _requirements(origin),
        sys.byteorder,
    ]


def _inside(values: Iterable[object]) -> Iterator[BaseModel | Path]:
    """Yield the models and the paths among these values and within them."""
    for value in values:
        if isinstance(value, BaseModel):
            yield value
            yield from _inside(child for _, child in value)
        elif isinstance(value, Path):
            yield value
        elif isinstance(value, dict):
            yield from _inside(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            yield from _inside(value)


def _packages(models: Iterable[BaseModel]) -> set[str]:
    """Return the top-level packages of the models' classes and of their bases, ours included."""
    classes = {
        base for each in models for base in type(each).__mro__ if issubclass(base, BaseModel)
    }
    return {cls.__module__.partition(".")[0] for cls in classes} - {"pydantic"}


@cache
def _code(package: ModuleType | None) -> str | None:
    """Return the SHA-256 of a package's source files, or None if there are none.

    A version alone would lie to whoever writes a featurizer: it changes many times in between.
    """
    if package is None or package.__name__ == "__main__":
        return None
    folders = [Path(folder) for folder in getattr(package, "__path__", ())]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    found = []
    for path in sorted(files or [Path(getattr(package, "__file__", None) or "")]):
        with suppress(OSError):
            found.append([path.name, hashlib.sha256(path.read_bytes()).hexdigest()])
    return hashlib.sha256(canonical(found)).hexdigest() if found else None


def _file_digest(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


@cache
def _libraries(names: tuple[str, ...]) -> dict[str, str]:
    versions = {name: metadata.version(name) for name in names}
    if "soundfile" in versions:
        import soundfile

        versions["libsndfile"] = soundfile.__libsndfile_version__
    return versions


@cache
def _requirements(origin: Origin) -> dict[str, str]:
    """Return the versions of what a foreign plugin requires, since it may compute with that."""
    return {} if origin.distribution == "audioclf" else versions_behind([origin.distribution])


def canonical(data: object, *, allow_nan: bool = True) -> bytes:
    r"""Return JSON that does not depend on the order of keys; in ASCII, which holds any name.

    Examples
    --------
    >>> canonical({"sr": 8000, "name": ["é"]})
    b'{"name":["\\u00e9"],"sr":8000}'
    """
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=allow_nan)
    return text.encode("ascii")
