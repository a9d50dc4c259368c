"""Keys of cached features: a digest of all that decides about their numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audioclf.base.limits import limits_in_force
from audioclf.base.machine import versions_behind
from audioclf.components.code_digest import canonical, made_by, versions_of
from audioclf.components.featurizer import Featurizer
from audioclf.dataset.decoders import decoder_distributions

if TYPE_CHECKING:
    from audioclf.audio.settings import AudioConfig
    from audioclf.components.registry import Origins

FORMAT = 3
"""Number of the cache's format; it stands in every key and in the name of the folder."""

OWN_CODE = (
    "audio",
    "dsp",
    "components/component.py",
    "components/embedding.py",
    "components/featurizer.py",
    "components/pooling.py",
    "features/worker.py",
)
"""Parts of audioclf that the numbers of any featurizer may depend on; its own folder is added."""

_LIBRARIES = ("numpy", "scipy", "soxr", "soundfile", "librosa")


@dataclass(frozen=True, slots=True)
class KeyMaker:
    """Maker of the keys of one featurizer, for any clip.

    `fixed` is the SHA-256 over the format, decoding, limits, decoders, and all that makes the
    numbers of the featurizer. Of our own source code, only what it depends on counts, so a change
    of a report does not empty the cache.
    """

    fixed: str

    @classmethod
    def make(
        cls, *, audio: AudioConfig, featurizer: Featurizer, origins: Origins
    ) -> KeyMaker | None:
        """Gather the ingredients, or return None where they cannot all be known.

        That is so for a class of no plugin, also inside of another featurizer, for code without
        source files, and for a path in the configuration that cannot be read.
        """
        made = made_by(
            featurizer, origins, libraries=_LIBRARIES, own_code=OWN_CODE, exclude="pooling"
        )
        if made is None:
            return None
        # A clip that other limits accepted must not pass by having been cached.
        limits = limits_in_force().changed()
        ingredients = [FORMAT, audio.model_dump(mode="json"), limits, made]
        if decoders := decoder_distributions():
            ingredients.append(versions_behind(decoders))
        return cls(hashlib.sha256(canonical(ingredients)).hexdigest())

    def key(self, source_digest: str) -> str:
        """Return the key of a clip, 64 hexadecimal digits, from the digest of its bytes."""
        return hashlib.sha256(f"{self.fixed}:{source_digest}".encode()).hexdigest()


def versions_in_key(origins: Origins) -> dict[str, str]:
    """Return the versions of the distributions that a key follows, by their names."""
    return versions_of(origins, _LIBRARIES)
