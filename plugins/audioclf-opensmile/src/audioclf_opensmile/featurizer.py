"""Acoustic feature sets of openSMILE.

F. Eyben et al., "openSMILE: the Munich versatile and fast open-source audio feature extractor", ACM
Multimedia, 2010.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import model_validator
from typing_extensions import override

from audioclf.plugin import FeatureError, Featurizer, Pooling, Stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

FeatureSet = Literal["eGeMAPSv02", "ComParE_2016"]
Level = Literal["functionals", "lld"]

_FRAME = 0.06
"""Length in s of the longest frame, which all feature sets need."""
_LARGEST = 1.0 - 2.0**-15
"""Largest sample of 16 bits: openSMILE turns 1.0 into -1.0."""
_AS_IT_IS = Stats(statistics=("mean",), percentiles=(), segments=0)
_OF_FRAMES = Stats(statistics=("mean", "std"), percentiles=(), segments=0)


class OpenSmile(Featurizer):
    """Acoustic features of openSMILE for speech and voice: eGeMAPS or ComParE.

    openSMILE has no weights and takes any sample rate; nothing is resampled. Clips shorter than
    0.06 s are padded with silence. Samples are rounded to 16 bits, as openSMILE does.
    """

    type: Literal["opensmile"] = "opensmile"

    terms_of_use: ClassVar[str] = (
        "openSMILE may be used for research, teaching and personal projects, not commercially "
        "(audEERING Research License); commercial use of it, or of a product made with it, needs a "
        "licence of audEERING"
    )

    row_name: ClassVar[str] = "feature"

    features: FeatureSet = "eGeMAPSv02"
    """Feature set: `eGeMAPSv02`, 88 numbers chosen by experts on the voice, or `ComParE_2016`,
    6,373 numbers of the challenges on computational paralinguistics."""

    level: Level = "functionals"
    """`functionals` for one vector for each clip: 88 or 6,373 statistics over its frames; `lld` for
    the low-level descriptors, 25 or 65 numbers every 10 ms."""

    pooling: Pooling = _AS_IT_IS
    """Pooling of the frames to a row; by default the mean, which keeps functionals as they are, and
    the standard deviation of low-level descriptors."""

    @model_validator(mode="after")
    def _default_pooling(self) -> OpenSmile:
        if self.level == "lld" and "pooling" not in self.model_fields_set:
            object.__setattr__(self, "pooling", _OF_FRAMES)
        return self

    @override
    def samples_per_frame(self, sr: int) -> int:
        return math.ceil(_FRAME * sr)

    @override
    def row_names(self, sr: int) -> Sequence[str]:
        return tuple(extractor(self.features, self.level).feature_names)

    @override
    def extract(self, y: Matrix, sr: int) -> Matrix:
        import numpy as np

        least = self.samples_per_frame(sr)
        padded = np.pad(y, (0, max(0, least - len(y))))
        sound = np.clip(padded, -1.0, _LARGEST)
        try:
            (features,) = extractor(self.features, self.level)(sound, sr)
        except Exception as exc:  # openSMILE raises its own exception class and others
            reason = " ".join(str(exc).split())[:300]
            raise FeatureError(f"openSMILE cannot extract {self.features}: {reason}") from exc
        return np.ascontiguousarray(features, dtype=np.float32)


@lru_cache(maxsize=8)
def extractor(features: FeatureSet, level: Level) -> Any:
    """Return the extractor of openSMILE, which writes neither messages nor a log file."""
    import opensmile

    levels = opensmile.FeatureLevel
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet[features],
        feature_level=levels.Functionals if level == "functionals" else levels.LowLevelDescriptors,
        loglevel=0,
    )
