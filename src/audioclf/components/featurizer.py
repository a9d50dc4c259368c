"""Base class of featurizers: one waveform in, one feature matrix out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from audioclf.components.component import Component, Kind
from audioclf.components.pooling import Pooling, Stats

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Featurizer(Component):
    """Base of featurizers: one waveform in, one feature matrix out."""

    kind: ClassVar[Kind] = "featurizer"

    pooling: Pooling = Stats()
    """How the (n_bins, n_frames) matrix becomes one row of the design matrix."""

    @abstractmethod
    def extract(self, y: NDArray[np.float32], sr: int) -> NDArray[np.float32]:
        """Return the feature matrix of one clip.

        Parameters
        ----------
        y : np.ndarray [shape=(n_samples,)], float32
            Mono waveform in [-1, 1]; not to be changed.
        sr : int
            Sample rate in Hz.

        Returns
        -------
        F : np.ndarray [shape=(n_bins, n_frames)], float32
            Finite; its shape depends on `n_samples` and `sr` alone, unless `has_steady_frames`
            says otherwise.
        """

    def extract_many(self, ys: Sequence[NDArray[np.float32]], sr: int) -> list[NDArray[np.float32]]:
        """Return the feature matrix of each of several clips.

        The engine calls this, from several threads at a time. Override it where clips can share
        work; each matrix must agree to the last bit with `extract` of that clip alone, so that
        no result depends on which clips come together.

        Parameters
        ----------
        ys : sequence of np.ndarray [shape=(n_samples,)], float32
            Mono waveforms in [-1, 1], of any lengths, perhaps none at all; not to be changed.
        sr : int
            Sample rate of all of them, in Hz.

        Returns
        -------
        matrices : list of np.ndarray [shape=(n_bins, n_frames)], float32
            As `extract` returns them, in the order of `ys`.

        Raises
        ------
        FeatureError
            If one clip cannot be extracted; `extract` of each says which.
        """
        return [self.extract(y, sr) for y in ys]

    def extract_windows(
        self, y: NDArray[np.float32], sr: int, starts: Sequence[int], n_samples: int
    ) -> list[NDArray[np.float32]]:
        """Return the feature matrix of each of several windows of one recording.

        Predictions of windows that overlap call this. Override it, and `shared_step`, where such
        windows can share work; each matrix must agree to the last bit with `extract` of that window
        alone, which knows nothing of the samples around it.

        Parameters
        ----------
        y : np.ndarray [shape=(n,)], float32
            Mono waveform in [-1, 1]; not to be changed.
        sr : int
            Sample rate in Hz.
        starts : sequence of int
            First sample of each window.
        n_samples : int
            Length of each window in samples; none reaches beyond the end of `y`.

        Returns
        -------
        matrices : list of np.ndarray [shape=(n_bins, n_frames)], float32
            As `extract` returns them, in the order of `starts`.

        Raises
        ------
        FeatureError
            If one window cannot be extracted; `extract` of each says which.
        """
        return self.extract_many([y[start : start + n_samples] for start in starts], sr)

    def shared_step(self, sr: int) -> int | None:
        """Return the samples by a multiple of which windows must lie apart to share work.

        None, the default, is for featurizers whose windows share nothing.
        """
        return None

    def samples_per_frame(self, sr: int) -> int | None:
        """Return the samples of one frame; None, the default, where a clip may have any length.

        Shorter clips are padded to fill a frame, and a note of the run counts them.
        """
        return None

    def has_steady_frames(self) -> bool:
        """Whether all clips of one length have as many frames, as nearly every featurizer promises.

        One that cuts off what is silent cannot promise that.
        """
        return True

    def views(self) -> Sequence[Featurizer]:
        """Return what extracts each view of a clip: first what `extract` sees, then augmented ones.

        A classifier is trained on all views of the training clips, each as a row with the label of
        its clip. The views stand side by side in the row of the clip, so no split comes between
        them. All give matrices of one shape and have this featurizer's pooling.
        """
        return (self,)

    def averages_views(self) -> bool:
        """Whether a prediction is the mean of the scores of all views, not that of the first."""
        return False
