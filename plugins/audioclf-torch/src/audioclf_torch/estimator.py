"""The network with the interface of scikit-learn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from audioclf.plugin import ClassifierError
from audioclf_torch.inner_split import held_out
from audioclf_torch.network import Network, Size
from audioclf_torch.training import PREDICTED, Rows, one_thread, own_random_state, trained

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf_torch import ConvNet


class ConvNetClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A convolutional network on flat rows; `fit` takes their shape.

    `network_` is fitted and on the CPU; `n_epochs_` made its weights, 0 if they are from a file.
    """

    def __init__(self, component: ConvNet, random_state: int = 0) -> None:
        self.component = component
        self.random_state = random_state

    @classmethod
    def of(cls, component: ConvNet, network: Network) -> ConvNetClassifier:
        """Return a fitted estimator around a network."""
        estimator = cls(component)
        size = network.size
        estimator.network_ = network.eval()
        estimator.classes_ = np.arange(size.n_classes)
        estimator.n_features_in_ = size.n_bins * size.n_frames
        estimator.n_epochs_ = 0
        return estimator

    def fit(
        self,
        X: NDArray[np.float32],
        y: NDArray[Any],
        groups: NDArray[np.intp] | None = None,
        shape: tuple[int, int] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> ConvNetClassifier:
        """Train a network on rows of `shape` (n_bins, n_frames), the bins of the first frame first.

        Early stopping keeps rows of one of the `groups` together; `sample_weight` is a factor on
        the loss of each row. ClassifierError for one class only, or no shape that fits the rows.
        """
        n_bins, n_frames = _checked_shape(X, shape)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ClassifierError("the training side holds one class only; a network needs two")
        size = Size(n_bins, n_frames, len(self.classes_))
        return self._trained(size, X, codes, codes, groups, sample_weight)

    def fit_states(
        self,
        X: NDArray[np.float32],
        states: NDArray[np.int8],
        groups: NDArray[np.intp] | None = None,
        shape: tuple[int, int] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> ConvNetClassifier:
        """Train a network on several labels per clip: 1 for yes, 0 for no, -1 for not labelled."""
        n_bins, n_frames = _checked_shape(X, shape)
        self.classes_ = np.arange(states.shape[1])
        targets = np.where(states < 0, np.nan, states).astype(np.float32)
        size = Size(n_bins, n_frames, states.shape[1], several=True)
        return self._trained(size, X, targets, _rarest(states), groups, sample_weight)

    def _trained(
        self,
        size: Size,
        X: NDArray[np.float32],
        targets: NDArray[Any],
        codes: NDArray[np.intp],
        groups: NDArray[np.intp] | None,
        weights: NDArray[np.float64] | None,
    ) -> ConvNetClassifier:
        """Train on codes or states; `codes` are the classes that a held out side must not lack."""
        X = np.ascontiguousarray(X, dtype=np.float32)
        rng = np.random.default_rng(self.random_state)
        held = self._held_out(codes, groups, rng)
        device = _device(self.component.device)
        learned, judged = (
            Rows.of(X[part], targets[part], device, None if weights is None else weights[part])
            for part in (~held, held)
        )
        with one_thread(), own_random_state(self.random_state):
            network, self.n_epochs_ = trained(
                self.component, size, learned, judged if held.any() else None, rng
            )
        if not all(torch.isfinite(t).all() for t in network.state_dict().values()):
            raise ClassifierError(
                "the training diverged: weights are no longer finite", hint="Lower learning_rate."
            )
        self.network_ = network.cpu()
        self.n_features_in_ = X.shape[1]
        return self

    def _held_out(
        self, codes: NDArray[np.intp], groups: Any, rng: np.random.Generator
    ) -> NDArray[np.bool_]:
        if self.component.patience is None:
            return np.zeros(len(codes), dtype=bool)
        held = held_out(codes, groups, self.component.validation_fraction, rng)
        if not held.any():
            warnings.warn(
                "no clips can be held out without losing a class or half of all; the training runs "
                "for all epochs",
                stacklevel=3,
            )
        return held

    def predict(self, X: NDArray[np.float32]) -> Any:
        """Return the most probable label of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probabilities of `classes_` for each row [shape=(n, n_classes)]."""
        check_is_fitted(self)
        if X.ndim != 2 or X.shape[1] != self.n_features_in_:
            raise ClassifierError(
                f"rows of shape {X.shape} instead of {self.n_features_in_} columns each"
            )
        rows = torch.from_numpy(np.array(X, dtype=np.float32))
        with one_thread(), torch.inference_mode():
            scaled = (
                self.network_.scaled(rows[start : start + PREDICTED])
                for start in range(0, max(1, len(rows)), PREDICTED)
            )
            logits = torch.cat([self.network_(pictures) for pictures in scaled])
            probabilities = self.network_.scores(logits.double())
        found: NDArray[np.float64] = probabilities.numpy()
        return found


def _rarest(states: NDArray[np.int8]) -> NDArray[np.intp]:
    """Return the rarest class of each row, or `n_classes` for none."""
    has = states == 1
    ranks = np.argsort(np.argsort(has.sum(axis=0), kind="stable"))
    rarest = np.where(has, ranks, len(ranks)).argmin(axis=1)
    return np.where(has.any(axis=1), rarest, len(ranks))


def _checked_shape(X: NDArray[np.float32], shape: tuple[int, int] | None) -> tuple[int, int]:
    if shape is None:
        raise ClassifierError(
            "a network needs rows that keep the frames of each clip, and their shape",
            hint="Give the featurizer `pooling: {type: flatten}`.",
        )
    n_bins, n_frames = shape
    if n_bins * n_frames != X.shape[1]:
        raise ClassifierError(f"shape {n_bins} x {n_frames} does not fit {X.shape[1]} columns")
    return n_bins, n_frames


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)
