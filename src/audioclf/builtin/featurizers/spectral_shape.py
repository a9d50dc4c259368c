"""Spectral shape of each frame: centroid, bandwidth, contrast and the like, by librosa.

A. Klapuri and M. Davy (eds.), "Signal processing methods for music transcription", chapter 5,
Springer, 2007. D.-N. Jiang et al., "Music type classification by spectral contrast feature", ICME,
2002. S. Dubnov, "Generalization of spectral flatness measure for non-Gaussian linear processes",
IEEE Signal Processing Letters 11(8), 2004.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from pydantic import Field, FiniteFloat, field_validator
from typing_extensions import override

from audioclf.builtin.featurizers.short_time_options import Spectral
from audioclf.dsp.first_call import compiled_by_one
from audioclf.plugin import FeatureError

if TYPE_CHECKING:
    from audioclf.dsp.short_time import Matrix

Shape = Literal["centroid", "bandwidth", "contrast", "rolloff", "flatness", "zero_crossings", "rms"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

_QUIET = 1e-10
"""Threshold of `librosa.zero_crossings`: only samples below its negative are negative."""


class SpectralShape(Spectral):
    """Centroid, bandwidth, contrast, rolloff and flatness of the spectrum, zero crossings, RMS.

    `features` selects the measures and the order of the rows. Each is a function of librosa with
    its arguments and defaults:

    - `centroid`: `spectral_centroid`, Hz;
    - `bandwidth`: `spectral_bandwidth` with `p`, Hz;
    - `contrast`: `spectral_contrast` with `fmin`, `n_bands`, `quantile` and `linear`, dB, in
      `n_bands + 1` rows;
    - `rolloff`: `spectral_rolloff` with `roll_percent`, Hz;
    - `flatness`: `spectral_flatness` with `amin` and `power`, from 0 for a tone to 1 for noise;
    - `zero_crossings`: `zero_crossing_rate`, share of the samples;
    - `rms`: `rms`, the root of the mean square of the samples, not of the spectrum.

    The last two use the samples of the frame without a window.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.sin(2 * np.pi * 440.0 * np.arange(22050) / 22050).astype(np.float32)
    >>> F = SpectralShape(features=("centroid", "rms")).extract(y, 22050)
    >>> F.shape
    (2, 44)
    >>> [round(float(value), 1) for value in F[:, 20]]
    [440.3, 0.7]
    """

    row_name: ClassVar[str] = "feature"

    type: Literal["spectral"] = "spectral"

    features: tuple[Shape, ...] = SHAPES
    """Measures in the order of the rows, without repetition: centroid, bandwidth, contrast,
    rolloff, flatness, zero_crossings, rms."""

    p: FiniteFloat = Field(default=2.0, gt=0, le=10)
    """bandwidth: exponent of the distance from the centroid, in (0, 10]."""

    fmin: FiniteFloat = Field(default=200.0, gt=0)
    """contrast: upper end of the lowest band in Hz; the other bands are octaves above it."""

    n_bands: int = Field(default=6, ge=1, le=32)
    """contrast: number of octaves above `fmin`."""

    quantile: FiniteFloat = Field(default=0.02, gt=0, lt=1)
    """contrast: share of the frequencies of a band whose mean is its peak, or its valley."""

    linear: bool = False
    """contrast: whether to subtract peak and valley as magnitudes instead of in dB."""

    roll_percent: FiniteFloat = Field(default=0.85, gt=0, lt=1)
    """rolloff: share of the magnitude below the rolloff frequency."""

    amin: FiniteFloat = Field(default=1e-10, ge=1e-37)
    """flatness: lower bound of the power, at least 1e-37."""

    power: FiniteFloat = Field(default=2.0, gt=0, le=4)
    """flatness: exponent of the magnitude, in (0, 4]."""

    @field_validator("features")
    @classmethod
    def _differ(cls, features: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if not features:
            raise ValueError("at least one feature is needed")
        twice = [name for name in dict.fromkeys(features) if features.count(name) > 1]
        if twice:
            raise ValueError(f"{twice[0]} is listed twice")
        return features

    @override
    def featurize(self, ys: Sequence[Matrix], sr: int) -> list[Matrix]:
        """Return the measures [shape=(n_rows, n_frames)], `n_bands + 1` rows for contrast."""
        import numpy as np

        from audioclf.dsp.short_time import transform

        if "contrast" in self.features:
            self._check_bands(sr)
        framing = self.framing()
        spectra = transform(ys, framing, framing.n_bins, lambda magnitude: magnitude)
        return [
            np.concatenate([self._measure(name, y, S, sr) for name in self.features])
            for y, S in zip(ys, spectra, strict=True)
        ]

    @compiled_by_one("librosa", "spectral")
    def _measure(self, name: Shape, y: Matrix, S: Matrix, sr: int) -> Matrix:
        """Return the rows of one measure from the waveform and the magnitudes of its spectra."""
        import numpy as np
        from librosa import feature

        n_fft = self.n_fft
        hop_length = self.framing().hop_length
        if name == "centroid":
            rows = feature.spectral_centroid(S=S, sr=sr, n_fft=n_fft)
        elif name == "bandwidth":
            rows = feature.spectral_bandwidth(S=S, sr=sr, n_fft=n_fft, p=self.p)
        elif name == "contrast":
            fields = self.model_dump(include={"n_fft", "fmin", "n_bands", "quantile", "linear"})
            rows = feature.spectral_contrast(S=S, sr=sr, **fields)
        elif name == "rolloff":
            roll_percent = self.roll_percent
            rows = feature.spectral_rolloff(S=S, sr=sr, n_fft=n_fft, roll_percent=roll_percent)
        elif name == "flatness":
            rows = feature.spectral_flatness(S=S, amin=self.amin, power=self.power)
        elif name == "zero_crossings":
            rows = _zero_crossing_rate(y, n_fft, hop_length, self.center)
        else:
            fields = self.model_dump(include={"center", "pad_mode"})
            rows = feature.rms(y=y, frame_length=n_fft, hop_length=hop_length, **fields)
        return np.asarray(rows, dtype=np.float32)

    @override
    def row_names(self, sr: int) -> Sequence[str]:
        bands = tuple(f"contrast of band {band}" for band in range(1, self.n_bands + 2))
        rows = (bands if name == "contrast" else (name,) for name in self.features)
        return tuple(chain.from_iterable(rows))

    def _check_bands(self, sr: int) -> None:
        """Raise an error for bands that librosa rejects or fails on."""
        import numpy as np

        start = self.fmin * 2.0 ** (self.n_bands - 1)
        if start >= sr / 2:
            raise FeatureError(
                f"the highest of n_bands={self.n_bands} bands of contrast starts at {start:g} Hz, "
                f"not below {sr / 2:g} Hz, half the sample rate of {sr} Hz",
                hint="Lower n_bands or fmin, or leave contrast out of `features`.",
            )
        frequencies = np.fft.rfftfreq(self.n_fft, 1.0 / sr)
        edges = [0.0, *(self.fmin * 2.0**band for band in range(self.n_bands + 1))]
        for band, (low, high) in enumerate(pairwise(edges)):
            held = np.count_nonzero((frequencies >= low) & (frequencies <= high))
            if held < (2 if band == 0 else 1):
                raise FeatureError(
                    f"n_fft={self.n_fft} at {sr} Hz is too coarse for contrast: the band from "
                    f"{low:g} to {high:g} Hz holds too few frequencies of the transform",
                    hint="Raise n_fft or fmin, or leave contrast out of `features`.",
                )


def _zero_crossing_rate(y: Matrix, frame_length: int, hop_length: int, center: bool) -> Matrix:
    """Return `librosa.feature.zero_crossing_rate` without compiled code: see `chroma`."""
    import numpy as np

    if center:
        y = np.pad(y, frame_length // 2, mode="edge")
    negative = y < -_QUIET
    crossings = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1])])
    starts = np.arange(0, len(y) - frame_length + 1, hop_length)
    within = crossings[starts + frame_length - 1] - crossings[starts]
    rates: Matrix = (within / frame_length)[np.newaxis]
    return rates
