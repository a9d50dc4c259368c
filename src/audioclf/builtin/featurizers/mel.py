"""Mel spectrogram: energy of each frame in mel bands, and copies of clips with warped frequencies.

N. Jaitly and G. E. Hinton, "Vocal tract length perturbation (VTLP) improves speech recognition",
ICML Workshop on Deep Learning for Audio, Speech and Language Processing, 2013.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le
from pydantic import Field, FiniteFloat, ValidationInfo, field_validator, model_validator
from typing_extensions import override

from audioclf.builtin.featurizers.pcen import Pcen
from audioclf.builtin.featurizers.short_time_options import Decibels, Spectral
from audioclf.plugin import FeatureError, Featurizer, NotInOnnxError, Settings

if TYPE_CHECKING:
    from audioclf.dsp.short_time import Matrix
    from audioclf.plugin import OnnxGraph

Norm = Literal["slaney"] | Annotated[FiniteFloat, Gt(0)] | None


Factor = Annotated[FiniteFloat, Ge(0.5), Le(2.0)]


class Vtlp(Settings):
    """Vocal tract length perturbation: copies of each training clip with warped frequencies.

    The copies differ in `warp` alone. The paper draws a random factor for each clip and pass; here
    each clip is used with every factor, so that runs are reproducible and features are cached.
    """

    type: Literal["vtlp"] = "vtlp"

    factors: tuple[Factor, ...] = Field(default=(0.9, 1.1), min_length=1, max_length=32)
    """Factors of `warp`, one for each copy, in [0.5, 2] without 1."""

    test_time: bool = False
    """Whether a prediction is the mean score of the clip and its copies, at a multiple of the cost;
    otherwise copies are for training only."""

    @field_validator("factors")
    @classmethod
    def _are_copies(cls, factors: tuple[float, ...]) -> tuple[float, ...]:
        if 1.0 in factors:
            raise ValueError("the clip itself is always used: remove the factor 1")
        if len(set(factors)) < len(factors):
            raise ValueError("a factor is listed twice")
        return factors


Augmentation = Vtlp
"""Any augmentation; a union by `type` once there are several."""


class MelBands(Spectral):
    """Base of featurizers that use a mel spectrogram."""

    row_name: ClassVar[str] = "mel band"

    power: FiniteFloat = Field(default=2.0, gt=0, le=4)
    """Exponent of the magnitude before the sum over a band, in (0, 4]: 2 for power."""

    n_mels: int = Field(default=128, ge=1, le=8192)
    """Number of bands; a band without a frequency of the transform is silent."""

    fmin: FiniteFloat = Field(default=0.0, ge=0)
    """Lowest frequency in Hz, at least 0."""

    fmax: FiniteFloat | None = Field(default=None, gt=0)
    """Highest frequency in Hz, above `fmin`; null for half the sample rate."""

    htk: bool = False
    """Whether to use the mel scale of HTK instead of Slaney's."""

    warp: FiniteFloat = Field(default=1.0, ge=0.5, le=2.0)
    """Factor of the frequencies of the filters, in [0.5, 2], as in vocal tract length perturbation:
    in full up to 4800 Hz, or 0.3 `sr` if that is less, and then less and less up to half the sample
    rate, which does not move."""

    augment: Augmentation | None = None
    """Augmented copies of each training clip; null for none."""

    @field_validator("fmax")
    @classmethod
    def _lies_above_fmin(cls, fmax: float | None, info: ValidationInfo) -> float | None:
        fmin = info.data.get("fmin", 0.0)
        if fmax is not None and fmin >= fmax:
            raise ValueError(f"fmin={fmin:g} must be below fmax={fmax:g}")
        return fmax

    @model_validator(mode="after")
    def _warps_are_in_range(self) -> MelBands:
        for factor in self.augment.factors if self.augment else ():
            if not 0.5 <= factor * self.warp <= 2.0:
                raise ValueError(
                    f"the factor {factor:g} of augment makes warp {factor * self.warp:g}, which "
                    "must lie in [0.5, 2]"
                )
        return self

    @override
    def views(self) -> Sequence[Featurizer]:
        if self.augment is None:
            return (self,)
        # Without `augment`, so that the cache key of the clip itself stays the same.
        plain = self.model_copy(update={"augment": None})
        warps = (self.warp * factor for factor in self.augment.factors)
        return (plain, *(plain.model_copy(update={"warp": warp}) for warp in warps))

    @override
    def averages_views(self) -> bool:
        return self.augment is not None and self.augment.test_time

    def mel_power(self, ys: Sequence[Matrix], sr: int, norm: Norm) -> list[Matrix]:
        """Return `librosa.feature.melspectrogram` of each clip [shape=(n_mels, n_frames)].

        Raises FeatureError if `fmin` or `fmax` lies beyond half the sample rate.
        """
        from audioclf.dsp.mel_filters import mel_bank
        from audioclf.dsp.short_time import raise_to, transform

        self._check_band(sr)
        band = (self.n_mels, self.fmin, self.fmax)
        bank = mel_bank(sr, self.n_fft, *band, self.htk, norm, self.warp)

        def project(magnitude: Matrix) -> Matrix:
            return bank.project(raise_to(magnitude, self.power))

        return transform(ys, self.framing(), self.n_mels, project)

    def mel_power_in_onnx(self, graph: OnnxGraph, y: str, sr: int, norm: Norm) -> str:
        """Add the nodes of `mel_power` and return the value of the matrix."""
        from audioclf.builtin.featurizers import in_onnx
        from audioclf.dsp.mel_filters import mel_weights

        squares = in_onnx.magnitudes(graph, y, self.framing(), double=False)
        filters = mel_weights(
            sr=sr,
            n_fft=self.n_fft,
            n_mels=self.n_mels,
            fmin=self.fmin,
            fmax=self.fmax,
            htk=self.htk,
            norm=norm,
            warp=self.warp,
        )
        magnitude = in_onnx.raised(graph, squares, self.power)
        return graph.op("MatMul", graph.constant(filters), magnitude)

    def _check_band(self, sr: int) -> None:
        if self.fmax is not None and self.fmax > sr / 2:
            raise FeatureError(
                f"fmax={self.fmax:g} Hz lies above {sr / 2:g} Hz, half the sample rate of {sr} Hz",
                hint="Lower fmax, or leave it out for half the sample rate.",
            )
        if self.fmin >= sr / 2:
            raise FeatureError(
                f"fmin={self.fmin:g} Hz must be below {sr / 2:g} Hz, half the sample rate of "
                f"{sr} Hz",
                hint="Lower fmin.",
            )


class MelSpectrogram(MelBands):
    """Mel spectrogram, in dB by default.

    Names, defaults and numbers are those of `librosa.feature.melspectrogram` followed by
    `librosa.power_to_db`; `db: null` omits the latter. Empty filters, of which librosa warns, give
    silent bands here: `amin` in dB, or 0.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.sin(2 * np.pi * 440.0 * np.arange(22050) / 22050).astype(np.float32)
    >>> F = MelSpectrogram(n_mels=40).extract(y, 22050)
    >>> F.shape
    (40, 44)
    >>> int(F[:, 20].argmax())
    4
    """

    type: Literal["mel"] = "mel"

    norm: Norm = "slaney"
    """Norm of the filters: `slaney` for equal area, a number p > 0 for the p-norm, null: none."""

    db: Decibels | None = Decibels()
    """Conversion of band energies to dB; null for none."""

    pcen: Pcen | None = None
    """Normalization of each band by its own recent level, instead of `db`, which is then null;
    the examples of librosa use it with `power: 1`."""

    @model_validator(mode="after")
    def _has_one_scaling(self) -> MelSpectrogram:
        if self.pcen is None or self.db is None:
            return self
        if "db" in self.model_fields_set:
            raise ValueError("`pcen` replaces `db`: remove one of them")
        # Set in spite of the frozen fields, so that the dumped config is valid.
        self.__dict__["db"] = None
        return self

    @override
    def frames_in_onnx(self, graph: OnnxGraph, y: str, sr: int) -> str:
        if self.pcen is not None:
            raise NotInOnnxError("`pcen` has no form in ONNX")
        mel = self.mel_power_in_onnx(graph, y, sr, self.norm)
        return mel if self.db is None else self.db.to_onnx(graph, mel)

    @override
    def featurize(self, ys: Sequence[Matrix], sr: int) -> list[Matrix]:
        """Return bands [shape=(n_mels, n_frames)] in dB, as PCEN, or as energy if both are null."""
        mels = self.mel_power(ys, sr, self.norm)
        if self.pcen is not None:
            hop_length = self.framing().hop_length
            return [self.pcen.convert(mel, sr, hop_length) for mel in mels]
        return mels if self.db is None else [self.db.convert(mel) for mel in mels]
