"""The key of one clip's features: all that decides about their numbers, and nothing else."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from pydantic import BaseModel

from audioclf.components import Featurizer
from audioclf.limits import limits_in_force
from audioclf.system import versions_behind

if TYPE_CHECKING:
    from audioclf.audio import AudioConfig
    from audioclf.registry import Origin

FORMAT = 2
"""Number of the cache's format; it stands in every key and in the name of the folder."""

_LIBRARIES = ("numpy", "scipy", "soxr", "soundfile", "librosa")


def feature_key(
    *, source_digest: str, audio: AudioConfig, featurizer: Featurizer, origin: Origin | None
) -> str | None:
    """Return the key of one clip's features, or None if they must not be cached.

    For many clips, `KeyMaker` does once what does not depend on the clip.
    """
    maker = KeyMaker.make(audio=audio, featurizer=featurizer, origin=origin)
    return None if maker is None else maker.key(source_digest)


@dataclass(frozen=True, slots=True)
class KeyMaker:
    """All that decides about features, except for the clip.

    Parameters
    ----------
    fixed : str
        SHA-256 over the format, the audio configuration, the limits in force, the featurizer's
        configuration without its own pooling and with the content of the files that it names,
        the classes, their origin and source code, the versions of the libraries that make the
        numbers, and the byte order.
    """

    fixed: str

    @classmethod
    def make(
        cls, *, audio: AudioConfig, featurizer: Featurizer, origin: Origin | None
    ) -> KeyMaker | None:
        """Gather the ingredients, or return None where they cannot all be known.

        That is so for a class made by hand (it has no origin), for code without source files,
        and for a path in the configuration that is no readable file.
        """
        made = made_by(featurizer, origin, libraries=_LIBRARIES, exclude="pooling")
        if made is None:
            return None
        # A clip that other limits accepted must not pass by having been cached.
        limits = limits_in_force().changed()
        ingredients = [FORMAT, audio.model_dump(mode="json"), limits, made]
        return cls(hashlib.sha256(canonical(ingredients)).hexdigest())

    def key(self, source_digest: str) -> str:
        """Return the key of a clip, 64 hexadecimal digits, from the digest of its bytes."""
        return hashlib.sha256(f"{self.fixed}:{source_digest}".encode()).hexdigest()


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
        import_module("audioclf").__version__,  # stands above us in the layers
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
