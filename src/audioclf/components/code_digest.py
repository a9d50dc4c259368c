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
    from audioclf.components.registry import Origins


WHOLE_PACKAGE = ("",)
"""All source files of audioclf, for `made_by`."""

_ROOT = Path(__file__).parents[1]
_DIGESTS: dict[ModuleType, tuple[dict[str, object], str | None]] = {}


def made_by(
    component: BaseModel,
    origins: Origins,
    *,
    libraries: tuple[str, ...],
    own_code: tuple[str, ...] = WHOLE_PACKAGE,
    exclude: str = "",
) -> list[object] | None:
    """Return, as JSON, all that decides about the numbers of a component; None if unknown.

    `own_code` are the files and folders of audioclf that matter, besides those of its own classes.
    Of foreign classes the whole package counts. `exclude` is a field that does not count.
    """
    inside, models = _parts(component, exclude)
    code = _code_of(_classes(models), own_code)
    files = [_file_digest(part) for part in inside if isinstance(part, Path)]
    if not origins or None in code.values() or None in files:
        return None
    return [
        component.model_dump(mode="json", exclude={exclude}),
        # Each on its own: an annotation with a base class would leave out fields.
        [part.model_dump(mode="json") for part in models[1:]],
        [f"{type(model).__module__}:{type(model).__qualname__}" for model in models],
        files,
        [[origin.distribution, origin.version] for origin in origins],
        __version__,
        code,
        versions_of(origins, libraries),
        sys.byteorder,
    ]


def code_behind(component: BaseModel) -> dict[str, str | None]:
    """Return the digests of the source code of all classes in a component, by package.

    They are those of the time when this process first asked, which the process computes with.
    """
    return _code_of(_classes(_parts(component)[1]), ())


def versions_of(origins: Origins, libraries: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of these libraries, and of all that the plugins require."""
    return _libraries(libraries) | _requirements(origins)


def _parts(
    component: BaseModel, exclude: str = ""
) -> tuple[list[BaseModel | Path], list[BaseModel]]:
    """Return the models and paths inside a component, and the models with itself."""
    inside = list(_inside(value for name, value in component if name != exclude))
    return inside, [component, *(part for part in inside if isinstance(part, BaseModel))]


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


def _classes(models: Iterable[BaseModel]) -> set[type]:
    """Return the models' classes and their bases, except for those of pydantic."""
    bases = {base for model in models for base in type(model).__mro__}
    return {cls for cls in bases if issubclass(cls, BaseModel)} - {BaseModel}


def _code_of(classes: Iterable[type], own_code: tuple[str, ...]) -> dict[str, str | None]:
    """Return the digest of the source code behind some classes, by package or part of audioclf."""
    own, foreign = set(own_code), set()
    for module in (cls.__module__.split(".") for cls in classes):
        if module[0] != "audioclf":
            foreign.add(module[0])
        elif module[1] not in ("components", "base"):  # callers name the relevant base classes
            own.add("/".join(module[1:-1]))
    code = {name: _package_digest(sys.modules.get(name)) for name in foreign}
    return code | {f"audioclf/{part}": _own_digest(_ROOT / part) for part in own}


def _package_digest(package: ModuleType | None) -> str | None:
    """Return the SHA-256 of a package's source files, or None if there are none.

    A version does not suffice: while a featurizer is written, its code changes more often. Files
    are read again once a module of the package is reloaded, as notebooks do, and not before: until
    then the earlier code computes.
    """
    if package is None or package.__name__ == "__main__":
        return None
    specs = {
        name: getattr(module, "__spec__", None)  # a new one at each reload
        for name, module in [*sys.modules.items()]
        if name.partition(".")[0] == package.__name__
    }
    known, digest = _DIGESTS.get(package, ({"": None}, None))
    if any(specs.get(name, "") is not spec for name, spec in known.items()):
        folders = [Path(folder) for folder in getattr(package, "__path__", ())]
        files = [path for folder in folders for path in folder.rglob("*.py")]
        digest = _digest(files or [Path(getattr(package, "__file__", None) or "")])
        _DIGESTS[package] = specs, digest
    return digest


@cache
def _own_digest(place: Path) -> str | None:
    return _digest(place.rglob("*.py") if place.is_dir() else [place])


def _digest(files: Iterable[Path]) -> str | None:
    digests = []
    for path in sorted(files):
        with suppress(OSError):
            digests.append([path.name, hashlib.sha256(path.read_bytes()).hexdigest()])
    return hashlib.sha256(canonical(digests)).hexdigest() if digests else None


def _file_digest(path: Path) -> str | None:
    """Return the SHA-256 of a file, or of the sorted names and digests of all files in a folder."""
    try:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file())
            content = [(file.relative_to(path).as_posix(), _file_digest(file)) for file in files]
            return hashlib.sha256(canonical(content)).hexdigest()
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
def _requirements(origins: Origins) -> dict[str, str]:
    """Return the versions of the libraries that foreign plugins require and may compute with."""
    foreign = {origin.distribution for origin in origins} - {"audioclf"}
    return versions_behind(foreign) if foreign else {}


def canonical(data: object, *, allow_nan: bool = True) -> bytes:
    r"""Return JSON that does not depend on the order of keys; in ASCII, which holds any name.

    >>> canonical({"sr": 8000, "name": ["é"]})
    b'{"name":["\\u00e9"],"sr":8000}'
    """
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=allow_nan)
    return text.encode("ascii")
