"""The key of one clip's features: all that decides about their numbers, and nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audioclf.base.limits import limits_in_force
from audioclf.components.code_digest import canonical, made_by
from audioclf.components.featurizer import Featurizer

if TYPE_CHECKING:
    from audioclf.audio.decode import AudioConfig
    from audioclf.components.registry import Origin

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
