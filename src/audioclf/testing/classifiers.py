"""Checks of classifiers. `X` are rows of features, `y` labels `0..k-1`."""

# ruff: noqa: D401  docstrings here are the promises that a user reads
from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from audioclf.base.errors import AudioclfError, ClassifierError
from audioclf.components.batches import Batches
from audioclf.testing.capture import unpickled_classes
from audioclf.testing.check import CheckFailedError, CheckSkippedError, no_error, promise
from audioclf.testing.example import SEED
from audioclf.testing.exercise import fitted, scores_of, shape_for, toy_fit, toy_for

if TYPE_CHECKING:
    from audioclf.components.classifier import Classifier

_LEARNED = 0.9
_OVERLAP = 8.0
_CLEAR = 0.5
_THREADS = 3
_ONNX_TOLERANCE = 1e-5
_PARALLEL = ("n_jobs", "nthread", "num_threads", "thread_count", "n_threads")


@promise("classifier")
def builds_something_new_and_unfitted(classifier: Classifier) -> None:
    """Each `build` returns a new estimator that has not been fitted."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    first: Any = classifier.build(random_state=SEED)
    if first is classifier.build(random_state=SEED):
        raise CheckFailedError("build returns the same estimator twice; each fold needs its own")
    try:
        check_is_fitted(first)
    except NotFittedError:
        return
    raise CheckFailedError("build returns an estimator that is already fitted")


@promise("classifier")
def estimator_clones(classifier: Classifier) -> None:
    """The estimator can be cloned by scikit-learn."""
    from sklearn.base import clone

    try:
        clone(classifier.build(random_state=SEED))
    except (RuntimeError, TypeError) as exc:
        raise CheckFailedError(f"scikit-learn cannot clone the estimator: {exc}") from exc


@promise("classifier", target="class")
def takes_two_and_three_classes(classifier: Classifier) -> None:
    """Two and three classes can be learned; predictions are labels of these classes."""
    for n_classes in (2, 3):
        with no_error(f"{n_classes} classes raised"):
            X, y, estimator = toy_fit(classifier, n_classes)
            labels = np.asarray(estimator.predict(X.copy()))
        if labels.shape != y.shape or not np.isin(labels, np.arange(n_classes)).all():
            what = f"{labels.shape} with labels {np.unique(labels)[:5]}"
            raise CheckFailedError(f"{n_classes} classes: predict returned {what}")


@promise("classifier", target="number")
def numbers_are_finite(classifier: Classifier) -> None:
    """A classifier that learns numbers predicts a finite one for each row."""
    from audioclf.evaluation.predictions import numbers_of_rows

    X, _, estimator = _overlapping(classifier)
    numbers_of_rows(classifier.scorer(estimator), X)


@promise("classifier", target="class")
def scores_are_finite_and_sum_to_one(classifier: Classifier) -> None:
    """Probabilities are finite, not negative, and sum to 1; decision values are finite."""
    from audioclf.evaluation.predictions import predict_rows

    X, _, estimator = _overlapping(classifier)
    if predict_rows(classifier.scorer(estimator), X, np.arange(len(X)), 2).scores is None:
        raise CheckSkippedError("it has neither predict_proba nor decision_function")


@promise("classifier", target="class")
def scores_are_in_the_order_of_the_classes(classifier: Classifier) -> None:
    """The predicted class is that of the highest score, if this is clearly higher."""
    for n_classes in (2, 3):
        X, _, estimator = _fitted_on(n_classes, classifier)
        best, margin = _best(estimator, X)
        clear = margin > _CLEAR
        if np.any(best[clear] != np.asarray(estimator.predict(X.copy()))[clear]):
            raise CheckFailedError(
                f"{n_classes} classes: the column of the highest score is not that of the "
                "predicted class; the order of columns must be that of `classes_`"
            )


@promise("classifier", target="class")
def a_fold_may_lack_a_class(classifier: Classifier) -> None:
    """Training data without one of the classes, with labels `0..k-2`, can be learned."""
    X, y, _ = _fitted_on(3, classifier)
    X, y = X[y != 1], np.unique(y[y != 1], return_inverse=True)[1]
    estimator = fitted(classifier, X, y)
    scores = scores_of(estimator, X)
    if scores is not None and np.shape(scores) not in {(len(y),), (len(y), 2)}:
        raise CheckFailedError(f"scores of two classes have shape {np.shape(scores)}")
    if not np.isin(estimator.predict(X.copy()), (0, 1)).all():
        raise CheckFailedError("it predicts a label that is not in the training data")


@promise("classifier")
def a_row_alone_is_predicted_as_among_others(classifier: Classifier) -> None:
    """A row alone gets the same label and scores as in a batch."""
    X, _, estimator = _overlapping(classifier)
    labels, scores = estimator.predict(X.copy()), scores_of(estimator, X)
    for index in range(0, len(X), 20):
        row = X[index : index + 1]
        alone = scores_of(estimator, row)
        if not _close(estimator.predict(row.copy()), labels[index : index + 1]) or not _close(
            alone, None if scores is None else scores[index : index + 1]
        ):
            raise CheckFailedError(
                f"the prediction for row {index} alone differs from that in a batch"
            )


@promise("classifier")
def same_seed_same_output(classifier: Classifier) -> None:
    """The same seed on the same rows gives the same predictions and scores."""
    X, y, first = _overlapping(classifier)
    second = fitted(classifier, X, y)
    if not np.array_equal(first.predict(X.copy()), second.predict(X.copy())) or not _equal(
        scores_of(first, X), scores_of(second, X)
    ):
        raise CheckFailedError(
            "two fits with one seed on the same rows differ; pass `random_state` on"
        )


@promise("classifier")
def rows_are_left_alone(classifier: Classifier) -> None:
    """Rows and labels are not changed, and may be write-protected."""
    X, y = toy_for(classifier)
    kept = X.copy(), y.copy()
    _use(classifier, X, y)
    if not (np.array_equal(X, kept[0]) and np.array_equal(y, kept[1])):
        raise CheckFailedError("fit or predict changes the rows or labels; work on a copy")
    X.flags.writeable = y.flags.writeable = False
    with no_error("write-protected rows raised"):
        _use(classifier, X, y)


@promise("classifier")
def learns_a_separable_toy(classifier: Classifier) -> None:
    """Two classes, or numbers, that lie far apart are learned."""
    _, y, estimator = toy_fit(classifier)
    predicted = estimator.predict(toy_for(classifier, seed=1)[0])
    if classifier.learns() == "number":
        explained = 1.0 - np.mean((predicted - y) ** 2) / np.var(y)
        if explained < _LEARNED:
            raise CheckFailedError(f"it explains {explained:.0%} of the variance of easy numbers")
        return
    share = np.mean(predicted == y)
    if share < _LEARNED:
        raise CheckFailedError(f"its accuracy on two classes far apart is {share:.0%}")


@promise("classifier", target="class")
def learns_in_batches_as_well(classifier: Classifier) -> None:
    """`fit_batches`, if overridden, learns two classes that lie far apart."""
    if not classifier.learns_in_batches():
        raise CheckSkippedError("it does not override fit_batches")
    X, y = toy_for(classifier, per_class=2000)
    batches = _SmallBatches(X, np.arange(len(y)), y, 2)
    try:
        estimator: Any = classifier.fit_batches(batches, random_state=SEED)
    except ClassifierError as exc:
        raise CheckSkippedError(f"these fields do not learn in batches: {exc.message}") from exc
    share = np.mean(estimator.predict(X.copy()) == y)
    if share < _LEARNED:
        raise CheckFailedError(
            f"its accuracy on two classes far apart is {share:.0%} with fit_batches"
        )


@promise("classifier")
def takes_groups(classifier: Classifier) -> None:
    """`fit` takes `groups` if `uses_groups` is true."""
    if not classifier.uses_groups:
        raise CheckSkippedError("uses_groups is false")
    X, y = toy_for(classifier)
    estimator: Any = classifier.build(random_state=SEED)
    try:
        groups = np.arange(len(y)) // 6
        estimator.fit(X, y, **(shape_for(classifier, X) | {"groups": groups}))
    except TypeError as exc:
        raise CheckFailedError(f"uses_groups is true, and fit takes no groups: {exc}") from exc


@promise("classifier", target="class")
def takes_mixtures_or_refuses_them(classifier: Classifier) -> None:
    """`refuses_mixtures` returns a reason, or a fit holds out none of its weighted rows."""
    reason = classifier.refuses_mixtures()
    if reason is not None:
        if not isinstance(reason, str) or not reason:
            raise CheckFailedError(f"refuses_mixtures returned {reason!r}, expected a reason")
        return
    X, y = toy_for(classifier)
    estimator: Any = classifier.build(random_state=SEED)
    try:
        weights = classifier.weight_keywords(estimator, np.ones(len(y)))
    except ClassifierError as exc:
        raise CheckSkippedError("it takes no weights") from exc
    passed = shape_for(classifier, X) | weights
    with no_error("rows of one clip, as of a mixture of all, raised"):
        classifier.fit_views(estimator, X, y, np.zeros(len(y), dtype=np.intp), **passed)


@promise("classifier")
def takes_shape(classifier: Classifier) -> None:
    """`fit` takes `shape` if `uses_shape` is true, or refuses short ones in a sentence."""
    if not classifier.needs_shape():
        raise CheckSkippedError("uses_shape is false")
    X, y = toy_for(classifier)
    for shape in ((X.shape[1] // 2, 2), (2, X.shape[1] // 2)):
        estimator: Any = classifier.build(random_state=SEED)
        try:
            estimator.fit(X, y, shape=shape)
        except AudioclfError:
            continue
        except TypeError as exc:
            raise CheckFailedError(f"uses_shape is true, and fit takes no shape: {exc}") from exc
        except Exception as exc:
            raise CheckFailedError(f"shape={shape} raised {type(exc).__name__}: {exc}") from exc


@promise("classifier")
def saves_and_loads_without_pickle(classifier: Classifier) -> None:
    """The fitted estimator can be saved in a model file, and predicts the same after loading."""
    from audioclf.models.estimators.store import dump_estimator, restore_estimator
    from audioclf.models.refusal import RefusedError

    X, _, estimator = _overlapping(classifier)
    inner, kept = classifier.unwrapped(estimator)
    with unpickled_classes() as unpickled:
        try:
            files = dump_estimator(inner, kept)
            n_classes = 2 if inner.learns() == "class" else 0
            shape: Any = {"n_classes": n_classes, "n_features": X.shape[1]}
            restored = restore_estimator(inner, inner.model_format, files, seed=SEED, **shape)
        except RefusedError as exc:
            raise CheckFailedError(". ".join(filter(None, (exc.what, exc.hint)))) from exc
    if unpickled:
        raise CheckFailedError(
            f"loading unpickles {unpickled[0]}, which is unsafe for untrusted files"
        )
    if not np.array_equal(restored.predict(X.copy()), kept.predict(X.copy())) or not _close(
        scores_of(restored, X), scores_of(kept, X)
    ):
        raise CheckFailedError("the estimator predicts differently after it was saved and loaded")


@promise("classifier", target="class")
def converts_to_onnx(classifier: Classifier) -> None:
    """`to_onnx`, if overridden, gives the labels and probabilities of the estimator."""
    from audioclf.components.classifier import Classifier as Base
    from audioclf.models.onnx.export import OPSETS
    from audioclf.models.onnx.names import INPUT

    if type(classifier).to_onnx is Base.to_onnx:
        raise CheckSkippedError("it does not override to_onnx")
    try:
        import onnx  # noqa: F401  what to_onnx makes is an `onnx.ModelProto`
        import onnxruntime
    except ImportError as exc:
        raise CheckSkippedError(f"onnx and onnxruntime are not installed: {exc}") from exc
    X, _, estimator = _overlapping(classifier)
    model = classifier.to_onnx(estimator, X.shape[1], OPSETS)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    labels, scores = session.run(None, {INPUT: X})
    if scores.shape != (len(X), 2):
        raise CheckFailedError(f"scores in ONNX have shape {scores.shape}, not {(len(X), 2)}")
    if not np.array_equal(labels, estimator.predict(X.copy())):
        raise CheckFailedError("ONNX predicts other labels than the estimator")
    if hasattr(estimator, "predict_proba") and not _close(
        scores, estimator.predict_proba(X.copy()), _ONNX_TOLERANCE
    ):
        raise CheckFailedError("ONNX gives other probabilities than the estimator")


@promise("classifier")
def fit_metrics_have_names(classifier: Classifier) -> None:
    """`fit_metrics` returns names of metrics."""
    from audioclf.components.metrics import Metric

    unknown = set(classifier.fit_metrics()) - set(get_args(Metric))
    if unknown:
        raise CheckFailedError(f"fit_metrics returned {min(unknown)!r}, which is no metric")


@promise("classifier")
def leaves_parallelism_to_the_run(classifier: Classifier) -> None:
    """It uses one core, and does not change the limits of thread pools."""
    from threadpoolctl import threadpool_limits

    X, y, estimator = toy_fit(classifier)  # the first fit may load a library with a pool
    for name, value in estimator.get_params(deep=True).items():
        if name.rpartition("__")[2] in _PARALLEL and value not in (None, 1):
            raise CheckFailedError(f"{name} is {value}; how parallel a run is belongs to the run")
    with threadpool_limits(limits=_THREADS):
        before = _pools()
        fitted(classifier, X, y).predict(X.copy())
        after = _pools()
    changed = [path for path, threads in before.items() if after.get(path, threads) != threads]
    if changed:
        raise CheckFailedError(f"it changes the number of threads of {PurePath(changed[0]).name}")


@promise("classifier")
def memory_is_foretold(classifier: Classifier) -> None:
    """`fit_memory` and `batch_memory` return a number of bytes."""
    for name in ("fit_memory", "batch_memory"):
        n_bytes = getattr(classifier, name)(1000, 50, 3)
        if not isinstance(n_bytes, int | np.integer) or n_bytes < 0:
            raise CheckFailedError(f"{name} returned {n_bytes!r}, expected a whole number of bytes")


class _SmallBatches(Batches):
    """Batches with small blocks, so that there are several."""

    @property
    def block_rows(self) -> int:
        return 1000


def _overlapping(classifier: Classifier) -> tuple[Any, Any, Any]:
    """Return rows of two classes that overlap, their labels, and an estimator fitted on them."""
    return toy_fit(classifier, spread=_OVERLAP)


def _use(classifier: Classifier, X: Any, y: Any) -> None:
    estimator: Any = classifier.build(random_state=SEED)
    estimator.fit(X, y, **shape_for(classifier, X))
    estimator.predict(X)
    for name in ("predict_proba", "decision_function"):
        if hasattr(estimator, name):
            getattr(estimator, name)(X)


def _fitted_on(n_classes: int, classifier: Classifier) -> tuple[Any, Any, Any]:
    """Return rows and labels, and an estimator that was fitted on them."""
    try:
        return toy_fit(classifier, n_classes)
    except Exception as exc:
        if n_classes == 2:
            raise
        raise CheckSkippedError("it does not take three classes") from exc


def _best(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Return for each row the class of the highest score, and its lead."""
    scores = scores_of(estimator, X)
    if scores is None:
        raise CheckSkippedError("it has neither predict_proba nor decision_function")
    scores = np.asarray(scores)
    if scores.ndim == 1:
        scores = np.column_stack([-scores, scores])
    ordered = np.sort(scores, axis=1)
    return np.asarray(estimator.classes_)[scores.argmax(axis=1)], ordered[:, -1] - ordered[:, -2]


def _equal(one: Any, other: Any) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)


def _close(one: Any, other: Any, tolerance: float = 1e-6) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.allclose(one, other, rtol=10 * tolerance, atol=tolerance))


def _pools() -> dict[str, int]:
    from threadpoolctl import threadpool_info

    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
