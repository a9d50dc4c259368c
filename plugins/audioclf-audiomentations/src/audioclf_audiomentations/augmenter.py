"""One transform of audiomentations, with the random numbers of a run."""

from __future__ import annotations

import importlib.util
import inspect
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainSerializer, model_validator
from typing_extensions import override

from audioclf.plugin import (
    AudioSource,
    Augmenter,
    ConfigError,
    FeatureError,
    FileSource,
    InputPath,
    is_audio,
    list_folder,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]

_CHANGE_LENGTH = frozenset({"AdjustDuration", "RepeatPart", "Resample", "Trim"})
_PACKAGES = {
    "Limiter": "numpy_audio_limiter",
    "LoudnessNormalization": "loudness",
    "Mp3Compression": "fast_mp3_augment",
    "RoomSimulator": "pyroomacoustics",
}
"""Packages of the extra `audiomentations[extras]`, by the transform that needs them."""
_PATHS = ("sounds_path", "ir_path")
_LOCK = Lock()
"""audiomentations draws from the generators of the process, which all threads share."""

Scalar = bool | int | float | str | None


def _pairs(parameters: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in parameters.items()}
    return tuple(values.items())


if TYPE_CHECKING:
    Parameters = tuple[tuple[str, Any], ...]
else:
    # A mapping in YAML and Python, stored as pairs because a component is hashable.
    Parameters = Annotated[
        dict[str, Scalar | list[Scalar]], AfterValidator(_pairs), PlainSerializer(dict)
    ]


class Audiomentations(Augmenter):
    """Any transform of the library audiomentations, by the name of its class.

    The random numbers are those of the run. For files of noise or impulse responses, set `path`.
    """

    type: Literal["audiomentations"] = "audiomentations"

    transform: str
    """Name of the class, such as `AddGaussianNoise` or `SevenBandParametricEQ`."""

    parameters: Parameters = Field(default={}, validate_default=True)
    """Its parameters by name, without `p`, in place of which `probability` is used."""

    path: InputPath | None = None
    """Folder of sounds, or one file, for `AddBackgroundNoise`, `AddShortNoises` and
    `ApplyImpulseResponse`."""

    fit_length: bool = False
    """Whether a longer result is cut, and a shorter one padded with silence, at the end. Without
    it, a transform that changes the length is refused."""

    @model_validator(mode="after")
    def _can_be_made(self) -> Audiomentations:
        cls, names = _class(self.transform), _parameters(self.transform)
        chosen = dict(self.parameters)
        if "p" in chosen:
            raise ValueError("set `probability` of the change instead of the parameter `p`")
        if reserved := set(chosen) & set(_PATHS):
            raise ValueError(f"set `path` instead of the parameter `{reserved.pop()}`")
        takes_path = any(name in names for name in _PATHS)
        if takes_path != (self.path is not None):
            needs = "needs a" if takes_path else "has no"
            raise ValueError(f"{self.transform} {needs} `path` of sounds")
        if isinstance(self.path, str):
            raise ValueError("`path`: expected a folder or an audio file, not a URL")
        package = _PACKAGES.get(self.transform)
        if package and importlib.util.find_spec(package) is None:
            raise ValueError(
                f"{self.transform} needs the package {package}: "
                "pip install 'audiomentations[extras]'"
            )
        unknown = sorted(set(chosen) - set(names))
        if unknown:
            known = ", ".join(name for name in names if name not in ("p", *_PATHS))
            raise ValueError(f"{self.transform} has no parameter {unknown[0]!r}; it has: {known}")
        sounds = {name: [Path("sound.wav")] for name in _PATHS if name in names}
        try:
            made = cls(p=1.0, **chosen, **sounds)
        except Exception as exc:
            reason = " ".join(str(exc).split()) or "out of range"
            raise ValueError(f"{self.transform} refuses its parameters: {reason}") from exc
        changes = self.transform in _CHANGE_LENGTH
        if (changes or not getattr(made, "leave_length_unchanged", True)) and not self.fit_length:
            raise ValueError(
                f"{self.transform} changes the length of clips: set `fit_length: true` to cut or "
                "pad the result"
            )
        return self

    @override
    def sounds(self) -> Sequence[AudioSource]:
        return tuple(FileSource(path) for path in self.files)

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files of `path` in an order that does not depend on the computer."""
        if self.path is None or Path(self.path).is_file():
            return () if self.path is None else (Path(self.path),)
        names = sorted(name for name, _ in list_folder(self.path).entries if is_audio(name))
        if not names:
            raise ConfigError(f"{self.path}: no audio files to mix into clips")
        return tuple(Path(self.path) / name for name in names)

    @cached_property
    def _stamps(self) -> tuple[object, ...]:
        return tuple(source.stamp() for source in self.sounds())

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        import numpy as np

        if not len(y):
            return y
        seed = int(rng.integers(2**32))
        with _LOCK, _seeded(seed):
            result = np.asarray(_made(self, self._stamps)(y.copy(), sr), dtype=np.float32)
        if len(result) == len(y):
            return result
        if not self.fit_length:
            raise FeatureError(
                f"{self.transform} turned {len(y)} samples into {len(result)}",
                hint="Set `fit_length: true` to cut or pad the result.",
            )
        return np.pad(result[: len(y)], (0, max(0, len(y) - len(result))))


@lru_cache(maxsize=32)
def _made(augmenter: Audiomentations, stamps: object) -> Any:
    """Return the transform, which keeps the sounds that it has read."""
    names = _parameters(augmenter.transform)
    if augmenter.files:
        with warnings.catch_warnings():  # of Python 3.11, on modules behind librosa.load
            warnings.simplefilter("ignore", DeprecationWarning)
            importlib.import_module("audioread.rawread")
    paths = {name: list(augmenter.files) for name in _PATHS if name in names}
    return _class(augmenter.transform)(p=1.0, **dict(augmenter.parameters), **paths)


def _class(name: str) -> Any:
    import audiomentations
    from audiomentations.core.transforms_interface import BaseWaveformTransform

    names = sorted(
        name
        for name, value in vars(audiomentations).items()
        if inspect.isclass(value) and issubclass(value, BaseWaveformTransform) and name != "Lambda"
    )
    if name not in names:
        raise ValueError(f"audiomentations has no transform {name!r}; it has: {', '.join(names)}")
    return getattr(audiomentations, name)


def _parameters(name: str) -> tuple[str, ...]:
    found = inspect.signature(_class(name).__init__).parameters.values()
    return tuple(each.name for each in found if each.kind is not each.VAR_KEYWORD)[1:]


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the generators of the process, and restore them afterwards."""
    import numpy as np

    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
