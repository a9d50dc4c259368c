"""Base class of classifiers: a description that builds an unfitted scikit-learn estimator."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from audioclf.base.errors import ClassifierError
from audioclf.components.combination import Combination
from audioclf.components.component import components_inside

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin, RegressorMixin

    from audioclf.components.batches import Batches
    from audioclf.dataset.targets import Codes, States, Weights
    from audioclf.dsp.short_time import Matrix


BASELINE_TYPES = {"class": "dummy", "number": "dummy_regressor"}
"""The `type` of the baseline by the targets that are learned."""


class Classifier(Combination):
    """Base class of classifiers: descriptions that build an unfitted scikit-learn estimator."""

    target: ClassVar[Literal["class", "number"]] = "class"
    """What the estimator learns: codes of classes, or `number`s, for which `build` returns a
    regressor of scikit-learn that is fitted on float64 and needs no scores."""

    uses_groups: ClassVar[bool] = False
    """Whether `fit` of the estimator also takes `groups`, as for a search whose inner folds must
    not separate the clips of one speaker or site, or parts of one recording. If the dataset has
    such groups it is called as `fit(X, y, groups=groups)`, with an integer for each clip."""

    uses_shape: ClassVar[bool] = False
    """Whether `fit` of the estimator also takes `shape`, as for a network over time and frequency.
    It is called as `fit(X, y, shape=(n_bins, n_frames))`, and each row of `X` holds the bins of the
    first frame, then those of the second: `row.reshape(n_frames, n_bins).T` is the feature matrix.
    The pooling of the featurizer must keep the time axis."""

    trusted_types: ClassVar[tuple[str, ...]] = ()
    """Full names of types, besides the safe ones, that a saved estimator may hold."""

    model_format: ClassVar[str] = "skops"
    """Format of a saved estimator: `skops`, `members` for one that `members` takes apart, or a name
    of its own, which needs `dump` and `restore`."""

    @abstractmethod
    def build(self, *, random_state: int) -> ClassifierMixin | RegressorMixin:
        """Return a new, unfitted scikit-learn classifier, or regressor if the target is `number`.

        It is fitted on float32 rows and labels `0..k-1`, or on numbers. Scaling belongs inside, in
        a `Pipeline`, so that it is fitted in each training fold. A mapping `best_params_` of the
        fitted estimator, as of the searches of scikit-learn, is kept with the results of the fold.

        Parameters
        ----------
        random_state : int
            Seed for all randomness of the estimator.
        """

    def learns(self) -> Literal["class", "number"]:
        """Return the `target`; a classifier that holds another one learns what that one learns."""
        for name in type(self).model_fields:
            inner = getattr(self, name)
            if isinstance(inner, Classifier):
                return inner.learns()
        return self.target

    def fit_metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics that `fit` itself computes, as a search does.

        They are checked against the classes of the dataset before anything is fitted.
        """
        return ()

    def for_classes(self, classes: Sequence[str]) -> Classifier:
        """Return the classifier for these classes, whose positions are the codes of `fit`.

        Override it if one class is special, such as the normal one of a detector.

        Raises
        ------
        ClassifierError
            If it cannot learn these classes.
        """
        return self

    def only_class(self) -> str | None:
        """Return the name of the one class whose clips are learned from; None for all classes.

        Override it for a detector, which learns from normal clips: then training sides need no
        clip of another class.
        """
        return None

    def check_fit(self, n_clips: int, n_classes: int) -> None:
        """Check that a fit is possible, before anything is fitted.

        Parameters
        ----------
        n_clips : int
            Clips of the smallest training side.
        n_classes : int
            Classes of the dataset; 1 for numbers.

        Raises
        ------
        ClassifierError
            If it is not, for example because an algorithm handles two classes only.
        """
        for _, part in components_inside(self):
            if isinstance(part, Classifier):
                part.check_fit(n_clips, n_classes)

    def needs_shape(self) -> bool:
        """Whether `fit` takes `shape`, because this classifier or one inside of it uses it."""
        return self.uses_shape or any(
            isinstance(part, Classifier) and part.uses_shape for _, part in components_inside(self)
        )

    def fit_keywords(
        self, *, groups: Codes | None, shape: tuple[int, int] | None
    ) -> dict[str, Any]:
        """Return the arguments of `fit` besides rows and labels.

        Parameters
        ----------
        groups : np.ndarray [shape=(n_rows,)], int, optional
            None if the dataset has no groups.
        shape : tuple of int, optional
            Shape (n_bins, n_frames) of the matrix in each row; None if there is none.

        Raises
        ------
        ClassifierError
            If a shape is needed and there is none.
        """
        keywords: dict[str, Any] = {}
        if self.uses_groups and groups is not None:
            keywords["groups"] = groups
        if self.needs_shape():
            if shape is None:
                raise ClassifierError(
                    f"{self.type_name()} needs rows that keep the frames of each clip",
                    hint="Give its featurizer `pooling: {type: flatten}`.",
                )
            keywords["shape"] = shape
        return keywords

    def weight_keywords(self, estimator: Any, weights: Weights) -> dict[str, Weights]:
        """Return the arguments of `fit` for the weights of rows: to each step that takes weights.

        Parameters
        ----------
        estimator : scikit-learn classifier
            Result of `build`.
        weights : np.ndarray [shape=(n_rows,)], float64

        Raises
        ------
        ClassifierError
            If the estimator takes none.
        """
        from sklearn.pipeline import Pipeline
        from sklearn.utils.validation import has_fit_parameter

        steps = estimator.steps if isinstance(estimator, Pipeline) else [("", estimator)]
        takes = [step for step, part in steps if has_fit_parameter(part, "sample_weight")]
        inner = getattr(steps[-1][1], "estimator", None)
        wraps_none = inner is None or has_fit_parameter(inner, "sample_weight")
        if steps[-1][0] not in takes or not wraps_none:
            raise ClassifierError(
                f"{self.type_name()} does not take weights of clips",
                hint="Remove the classifier, or set `columns: {weight: null}` so that all clips "
                "count the same.",
            )
        return {f"{step}__sample_weight" if step else "sample_weight": weights for step in takes}

    def holds_out_rows(self) -> bool:
        """Whether `fit_views` fits rows of single views, too, as it holds out some of them."""
        return False

    def refuses_mixtures(self) -> str | None:
        """Return why `mixup` must not fit it to mixtures of rows; None if it may.

        Override it if a fit holds out rows, with these fields, in another way than by `uses_groups`
        or `holds_out_rows`: a mixture may join them with training rows.
        """
        if self.uses_groups or self.holds_out_rows():
            return (
                "holds out rows with these fields, and a mixture may join them with training rows"
            )
        return None

    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        """Return the approximate memory of a fit in bytes, besides its float32 rows.

        A fit that exceeds the free memory is not started. The default is three times the rows, or
        nearly two copies in float64.
        """
        return 12 * n_rows * n_columns

    def fit_views(self, estimator: Any, X: Matrix, y: Codes, clips: Codes, **passed: Any) -> Any:
        """Fit an estimator on rows with several views of each clip, and return it.

        Override it if a fit holds out rows, for early stopping or calibration: the views of a clip
        must stay together. A classifier with `uses_groups` need not: if the dataset has no groups,
        it gets the clips as groups.

        Parameters
        ----------
        estimator : scikit-learn classifier
            Result of `build`; its parameters stay the same.
        X : np.ndarray [shape=(n_rows, n_features)], float32
        y : np.ndarray [shape=(n_rows,)], int
        clips : np.ndarray [shape=(n_rows,)], int
            Number of the clip of each row.
        **passed
            Other arguments of `fit`, such as `groups`.
        """
        return estimator.fit(X, y, **passed)

    def fit_states(self, estimator: Any, X: Matrix, states: States, **passed: Any) -> Any:
        """Fit one estimator on several labels per clip, and return it.

        Override it for algorithms that learn all classes at once. Otherwise it is called only if
        `learns_indicators`, and each class is learned by itself, yes against no, if not.

        Parameters
        ----------
        estimator : scikit-learn classifier
            Result of `build`.
        X : np.ndarray [shape=(n_rows, n_features)], float32
        states : np.ndarray [shape=(n_rows, n_classes)], int8
            1 for yes, 0 for no, -1 for not labelled, which must not be learned from.
        **passed
            Other arguments of `fit`, such as `groups`; `sample_weight` if clips have weights and
            `fit` takes it.

        Returns
        -------
        estimator
            Its `classes_` are `0..n_classes-1`, and its `predict_proba` gives the score of each
            class by itself, in [0, 1] [shape=(n_rows, n_classes)]. Or both are lists with an item
            for each class, as scikit-learn has them: its codes, and the scores of these.
        """
        return estimator.fit(X, states, **passed)

    def learns_indicators(self, n_rows: int, n_classes: int) -> bool:
        """Whether `fit` takes an indicator matrix of several labels as well as codes.

        Override it for an estimator such as the forests of scikit-learn. It then learns all classes
        at once if each clip of the dataset is labelled for each class.

        Parameters
        ----------
        n_rows : int
            Rows of all clips of the dataset.
        n_classes : int
        """
        return False

    def batch_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        """Return the approximate memory of `fit_batches` in bytes, besides a block."""
        return 0

    def fit_batches(self, batches: Batches, *, random_state: int) -> ClassifierMixin:
        """Return a classifier fitted on more rows than memory holds.

        Override it for algorithms that can do so; it is called if a fit of all rows would exceed
        the free memory, and the results have a note on it.

        Parameters
        ----------
        batches : Batches
            The training rows in blocks, which can be read repeatedly.
        random_state : int
            Seed for all randomness of the estimator.

        Raises
        ------
        NotImplementedError
            Unless a subclass overrides it.
        """
        raise NotImplementedError(f"{self.type_name()} does not learn in batches")

    def dump(self, estimator: ClassifierMixin) -> dict[str, bytes]:
        """Return a fitted estimator as files by name, in `model_format`.

        Raises
        ------
        NotImplementedError
            Unless a subclass with a `model_format` of its own overrides it.
        """
        raise NotImplementedError(f"{self.type_name()} has no format of its own")

    def restore(self, files: Mapping[str, bytes]) -> ClassifierMixin:
        """Return the estimator saved by `dump`, without executing code of the files.

        Raises
        ------
        ValueError
            If the files do not hold a valid estimator.
        NotImplementedError
            Unless a subclass with a `model_format` of its own overrides it.
        """
        raise NotImplementedError(f"{self.type_name()} has no format of its own")

    def unwrapped(self, estimator: Any) -> tuple[Classifier, Any]:
        """Return the classifier and the fitted estimator to save in a model file.

        A search returns its choice instead of itself.
        """
        return self, estimator

    def scorer(self, estimator: Any) -> Any:
        """Return the object that predicts with a fitted estimator: by default the estimator itself.

        Override it to correct scores of the library underneath. The object has `predict`, and
        `classes_`, `predict_proba` or `decision_function` as the estimator has them.
        """
        return estimator

    def to_onnx(self, estimator: Any, n_columns: int, opsets: Mapping[str, int]) -> Any:
        """Return a fitted estimator as an ONNX model; None, the default, to have skl2onnx do it.

        The export compares it with the original, on real rows, before it is written.

        Parameters
        ----------
        estimator : scikit-learn classifier
            Fitted, as `unwrapped` or `restore` returned it.
        n_columns : int
        opsets : mapping of str to int
            Version of the operators by domain.

        Returns
        -------
        model : onnx.ModelProto or None
            The input is `features` [shape=(n_rows, n_columns)], float32. The first output holds
            codes [shape=(n_rows,)], int64, the second probabilities or decision values
            [shape=(n_rows, n_classes)], float32; of two classes, the columns of decision values
            are the value and its negative.

        Raises
        ------
        Exception
            If the estimator cannot be converted; the export reports the message.
        """
        return None

    @classmethod
    def learns_states(cls) -> bool:
        """Whether `fit_states` is implemented."""
        return cls.fit_states is not Classifier.fit_states

    @classmethod
    def learns_in_batches(cls) -> bool:
        """Whether `fit_batches` is implemented."""
        return cls.fit_batches is not Classifier.fit_batches
