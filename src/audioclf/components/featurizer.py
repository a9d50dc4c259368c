"""Base class of featurizers: one waveform in, one feature matrix out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from audioclf.components.component import Component, Kind
from audioclf.components.onnx_graph import NotInOnnxError
from audioclf.components.pooling import Pooling, Stats

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from audioclf.components.onnx_graph import OnnxGraph
    from audioclf.components.weights import Weights


class Featurizer(Component):
    """Base class of featurizers: one waveform in, one feature matrix out."""

    kind: ClassVar[Kind] = "featurizer"

    row_name: ClassVar[str] = "bin"
    """Name of a row of the feature matrix, for the axis of plots."""

    pooling: Pooling = Stats()
    """Pooling of the (n_bins, n_frames) matrix to one row of the design matrix."""

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
            Finite; its shape depends on `n_samples` and `sr` alone, unless `has_steady_frames` is
            false.
        """

    def extract_many(self, ys: Sequence[NDArray[np.float32]], sr: int) -> list[NDArray[np.float32]]:
        """Return the feature matrix of each of several clips.

        The engine calls this from several threads. Override it if clips can share work; each matrix
        must equal that of `extract` bit for bit, so that results do not depend on the batch.

        Parameters
        ----------
        ys : sequence of np.ndarray [shape=(n_samples,)], float32
            Mono waveforms in [-1, 1], of any lengths, possibly none; not to be changed.
        sr : int
            Sample rate of all of them, in Hz.

        Returns
        -------
        matrices : list of np.ndarray [shape=(n_bins, n_frames)], float32
            Results of `extract`, in the order of `ys`.

        Raises
        ------
        FeatureError
            If a clip cannot be extracted; `extract` of single clips shows which.
        """
        return [self.extract(y, sr) for y in ys]

    def extract_windows(
        self, y: NDArray[np.float32], sr: int, starts: Sequence[int], n_samples: int
    ) -> list[NDArray[np.float32]]:
        """Return the feature matrix of each of several windows of one recording.

        Predictions of overlapping windows call this. Override it and `shared_step` if windows can
        share work; each matrix must equal that of `extract` of that window alone, bit for bit.

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
            Results of `extract`, in the order of `starts`.

        Raises
        ------
        FeatureError
            If a window cannot be extracted; `extract` of single windows shows which.
        """
        return self.extract_many([y[start : start + n_samples] for start in starts], sr)

    def shared_step(self, sr: int) -> int | None:
        """Return the step in samples: windows at multiples of it share work.

        None, the default, if windows share nothing.
        """
        return None

    def samples_per_frame(self, sr: int) -> int | None:
        """Return the samples of one frame; None, the default, where a clip may have any length.

        Shorter clips are padded to fill a frame, and a note of the run counts them.
        """
        return None

    def row_names(self, sr: int) -> Sequence[str]:
        """Return the name of each row of the matrix at the sample rate `sr` in Hz, in order.

        The feature importance of a run lists the most important ones. Empty, the default, if rows
        have no names.
        """
        return ()

    def has_steady_frames(self) -> bool:
        """Whether all clips of one length have the same number of frames.

        False for featurizers that trim silence.
        """
        return True

    def notes(self, sr: int) -> Sequence[str]:
        """Return notes for a run at the sample rate `audio.sr` in Hz, as on a rate that is too low.

        They do not stop it. The default is none.
        """
        return ()

    def views(self) -> Sequence[Featurizer]:
        """Return a featurizer for each view of a clip: the clip itself, then augmented copies.

        A classifier is fitted on all views of the training clips, each as a row with the label of
        its clip. The views are side by side in the row of the clip, so a split never separates
        them. All have matrices of one shape, and this featurizer's pooling.
        """
        return (self,)

    def weight_files(self) -> Sequence[Weights]:
        """Return the files of trained numbers that `extract` reads; none by default.

        Make them by `Weights.of`, and read them by `Weights.read`, which compares the digest. Those
        of featurizers in fields of this one are added by the caller.

        Raises
        ------
        ConfigError
            If a file cannot be read, or has another digest than the config demands.
        """
        return ()

    @classmethod
    def describe_weights(cls, path: Path) -> str | None:
        """Return for `audioclf weights inspect` what is in a file, with the YAML that uses it.

        `path` may be a folder. None, the default, if this class reads no files of the kind; errors
        are those of `weights`.
        """
        return None

    @classmethod
    def fetch_weights(cls, name: str) -> str | None:
        """Download a model for `audioclf weights fetch`; return its digests and the YAML.

        This is the only method that may use the network. `name` is such as `org/name@revision`;
        the weights belong into `models_folder()`. None, the default, if this class downloads none.

        Raises
        ------
        ConfigError
            If the name has no revision, or the model cannot be used.
        EnvironmentMissingError
            If the network or the service cannot be reached.
        """
        return None

    def to_onnx(self, graph: OnnxGraph, y: str, sr: int) -> str:
        """Add the nodes that compute `extract`, so that a model can be exported from sound on.

        The export compares its scores with those of the model before anything is written.

        Parameters
        ----------
        graph : OnnxGraph
        y : str
            Value of the mono waveform [shape=(n_samples,)], float32, at the rate `sr` in Hz.
        sr : int

        Returns
        -------
        matrix : str
            Value of the feature matrix [shape=(n_bins, n_frames)], float32.

        Raises
        ------
        NotInOnnxError
            If this featurizer, as by default, or the value of a field cannot be expressed in ONNX;
            the message says which.
        """
        raise NotInOnnxError(f"the featurizer {self.type_name()} has no form in ONNX")

    @classmethod
    def suits(cls, seconds: float, sr: int) -> str | None:
        """Return why `audioclf init` should propose this class for such recordings.

        It is written beside MFCC with default fields, and the text above it as a comment.

        Parameters
        ----------
        seconds : float
            Length that 95 % of the clips do not exceed, in s.
        sr : int
            Sample rate of the config in Hz.

        Returns
        -------
        reason : str or None
            One or two sentences: for which sounds, and when to remove it. None, the default, if it
            does not suit them, or cannot run because weights are missing.
        """
        return None

    def averages_views(self) -> bool:
        """Whether a prediction is the mean score of all views instead of that of the first."""
        return False
