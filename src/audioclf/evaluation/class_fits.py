"""Fits of several labels per clip: all classes at once, or one fit per class, yes or no.

A class is learned from the clips that are labelled for it. Scores of a clip need not sum to 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from audioclf.base.errors import ClassifierError
from audioclf.components.batches import Batches
from audioclf.components.guard import guard, recorded
from audioclf.evaluation.fitting import FinalFit, fit_clips
from audioclf.evaluation.iterative import IterativeKFold
from audioclf.evaluation.metrics.repeats import divided
from audioclf.evaluation.predictions import ScoreKind, predicted, protected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.dataset.targets import Codes, Targets
    from audioclf.evaluation.fitting import Fitting
    from audioclf.evaluation.results import Pipeline

    Floats = NDArray[np.float64]

N_INNER_FOLDS = 3
"""Folds inside a training side whose scores choose a threshold; 2 for two groups."""

FEWEST = 10
"""Training clips with a class, and without it, that the choice of its threshold needs."""

HALF = 0.5
"""Threshold where none is chosen; a decision value of 0 has this score."""


class StateOutputs(NamedTuple):
    """Predicted states (1 or 0), scores and decision values [shape=(n_rows, n_classes)]."""

    states: NDArray[np.int8]
    scores: Floats | None
    kind: ScoreKind
    decision_values: Floats | None


@dataclass(frozen=True)
class ClassColumn:
    """The binary classifier of one class, by an estimator that learned all classes at once."""

    estimator: Any
    code: int

    @property
    def classes_(self) -> NDArray[np.intp]:
        """No and yes."""
        return np.arange(2)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return 1 for the rows whose score reaches one half."""
        return (shared_scores(self.estimator, X)[:, self.code] >= HALF).astype(np.intp)

    def predict_proba(self, X: NDArray[np.float32]) -> Floats:
        """Return the scores of no and yes."""
        scores = shared_scores(self.estimator, X)[:, self.code]
        return np.column_stack([1.0 - scores, scores])


def columns_of(
    estimator: Any, constants: Iterable[float | None]
) -> tuple[ClassColumn | float, ...]:
    """Return the parts of an estimator; one of scikit-learn knows no class with a constant."""
    constants = tuple(constants)
    learned = np.array([constant is None for constant in constants])
    is_list = isinstance(getattr(estimator, "classes_", ()), list)
    places = (np.cumsum(learned) - 1 if is_list else np.arange(len(learned))).tolist()
    return tuple(
        ClassColumn(estimator, place) if constant is None else constant
        for place, constant in zip(places, constants, strict=True)
    )


def shared_scores(estimator: Any, X: NDArray[np.float32]) -> Floats:
    """Return the checked scores of an estimator that learned all classes at once."""
    proba = estimator.predict_proba(X)
    if isinstance(proba, list):  # of scikit-learn: the codes of each class, of which 1 is the last
        proba = np.column_stack([part[:, -1] for part in proba])
    scores = np.asarray(proba, dtype=np.float64)
    shape = (len(X), len(estimator.classes_))
    if scores.shape != shape:
        raise ClassifierError(f"predict_proba returned shape {scores.shape}, expected {shape}")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ClassifierError("predict_proba returned scores of classes outside of 0 to 1")
    return scores


@dataclass(frozen=True)
class OneFitPerClass:
    """Binary classifiers, one per class; a number is the constant score of a class without one.

    `thresholds` [shape=(n_classes,)] are the scores from which a class is predicted.
    """

    estimators: tuple[Any, ...]
    thresholds: Floats
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def shared(self) -> Any:
        """The estimator that learned all classes at once; None if each has its own."""
        return next((e.estimator for e in self.estimators if isinstance(e, ClassColumn)), None)

    def mapped(self, function: Callable[[Any], Any]) -> OneFitPerClass:
        """Return it with a function applied to each estimator."""
        new = (e if isinstance(e, float) else function(e) for e in self.estimators)
        return type(self)(tuple(new), self.thresholds, self.notes)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return the predicted states of rows of features."""
        return self.outputs(X).states

    def outputs(self, X: NDArray[np.float32]) -> StateOutputs:
        """Return the predictions of rows of features."""
        shared: dict[int, Floats] = {}
        columns = [_class_outputs(estimator, X, shared) for estimator in self.estimators]
        kind: ScoreKind = next((c[2] for c in columns if c[2] is not None), "probability")
        states = np.column_stack([c[0] for c in columns]).astype(np.int8)
        if kind == "none":
            return StateOutputs(states, None, kind, None)
        scores = np.column_stack([c[1] for c in columns])
        learned = [c[3] for c in columns if c[2] is not None]
        ranked = bool(learned) and all(part is not None for part in learned)
        values = np.column_stack([c[3] for c in columns]) if ranked else None
        return StateOutputs((scores >= self.thresholds).astype(np.int8), scores, kind, values)


def _class_outputs(
    estimator: Any, X: NDArray[np.float32], shared: dict[int, Floats]
) -> tuple[Any, Any, Any, Any]:
    """Return states, scores, kind (None for a constant) and decision values of one class.

    `shared` keeps the scores of estimators that learned all classes.
    """
    if isinstance(estimator, ClassColumn):
        key = id(estimator.estimator)
        if key not in shared:
            shared[key] = shared_scores(estimator.estimator, X)
        column = shared[key][:, estimator.code]
        return column >= HALF, column, "probability", None
    if isinstance(estimator, float):
        constant = np.full(len(X), estimator)
        return constant >= HALF, constant, None, np.where(constant >= HALF, np.inf, -np.inf)
    codes, scores, kind, values = predicted(estimator, X, 2)
    return (
        codes,
        None if scores is None else scores[:, 1],
        kind,
        None if values is None else values[:, 1],
    )


def predict_states(model: OneFitPerClass, matrix: NDArray[np.float32], rows: Codes) -> StateOutputs:
    """Predict some rows of a matrix, block by block, to save memory."""
    blocks = [model.outputs(protected(X)) for X, _ in Batches(matrix, rows, rows, 2)]
    states, scores, _, values = zip(*blocks, strict=True)
    return StateOutputs(
        np.concatenate(states),
        None if scores[0] is None else np.concatenate(scores),
        blocks[0].kind,
        None if values[0] is None else np.concatenate(values),
    )


@dataclass(frozen=True)
class ClassFitter:
    """Fits of the classes of a pipeline on some clips.

    With `choose`, each threshold is the one with the best F1 of out-of-fold scores inside the
    training clips, whose groups or recordings are not separated.
    """

    pipeline: Fitting
    matrix: NDArray[np.float32]
    targets: Targets
    seed: int
    in_batches: bool = False
    choose: bool = False

    def fit(self, clips: Codes) -> OneFitPerClass:
        """Return estimators for single views, fitted on the labelled ones of these clips."""
        states = self.targets.states
        assert states is not None
        if not self.in_batches and self.learns_together(states):
            return self._fit_together(clips, states[clips])
        estimators: list[Any] = []
        thresholds, notes, not_chosen = np.full(states.shape[1], HALF), [], 0
        for code, name in enumerate(self.targets.classes):
            known = clips[states[clips, code] >= 0]
            y = (states[known, code] > 0).astype(np.intp)
            n_yes = int(y.sum())
            if n_yes in (0, len(y)):
                estimators.append(1.0 if n_yes else 0.0)
                notes.append(_constant_note(name, n_yes))
                continue
            with guard(f"class {name!r}", ClassifierError):
                estimators.append(self._fitted(known, y))
                if self.choose:
                    chosen = self._threshold(known, y)
                    thresholds[code] = HALF if chosen is None else chosen
                    not_chosen += chosen is None
        notes += _not_chosen(not_chosen, len(thresholds))
        return OneFitPerClass(tuple(estimators), thresholds, tuple(notes))

    def learns_together(self, states: NDArray[np.int8]) -> bool:
        """Whether one estimator learns all classes, given the states of all clips of the dataset.

        So folds and the final model learn in the same way.
        """
        classifier, (n_clips, n_classes) = self.pipeline.classifier, states.shape
        if classifier.learns_states():
            return True
        is_complete = n_classes > 1 and bool((states >= 0).all())
        n_rows = n_clips * self.pipeline.views.count
        return is_complete and classifier.learns_indicators(n_rows, n_classes)

    def _fit_together(self, clips: Codes, states: NDArray[np.int8]) -> OneFitPerClass:
        """Fit one estimator to all classes; a class with one state in training is a constant."""
        yes, no = ((states == state).any(axis=0) for state in (1, 0))
        names = zip(self.targets.classes, yes.tolist(), (yes & no).tolist(), strict=True)
        notes = [_constant_note(name, int(some)) for name, some, learned in names if not learned]
        thresholds = np.full(states.shape[1], HALF)
        if not (yes & no).any():
            return OneFitPerClass(tuple(yes.astype(float).tolist()), thresholds, tuple(notes))
        model = self._columns(self._fitted_states(clips, states), states, thresholds)
        if self.choose:
            chosen = self._shared_thresholds(clips, states)
            thresholds[:] = np.where(np.isnan(chosen), HALF, chosen)
            notes += _not_chosen(int(np.isnan(chosen[yes & no]).sum()), len(chosen))
        return replace(model, notes=tuple(notes))

    def _columns(
        self, estimator: Any, states: NDArray[np.int8], thresholds: Floats
    ) -> OneFitPerClass:
        yes, no = ((states == state).any(axis=0).tolist() for state in (1, 0))
        constants = (
            None if has and lacks else float(has) for has, lacks in zip(yes, no, strict=True)
        )
        return OneFitPerClass(columns_of(estimator, constants), thresholds)

    def _fitted_states(self, clips: Codes, states: NDArray[np.int8]) -> Any:
        known = (states >= 0).any(axis=1)
        clips, states = clips[known], states[known]
        classifier, views = self.pipeline.classifier, self.pipeline.views
        if not classifier.learns_states():
            states = states[:, states.min(axis=0) < states.max(axis=0)].astype(np.intp)
            if states.shape[1] == 1:  # scikit-learn would take it for codes
                states = np.repeat(states, 2, axis=1)
        units = self.targets.groups
        groups = None if units is None else views.repeated(units[clips])
        passed = classifier.fit_keywords(groups=groups, shape=self.pipeline.shape)
        built = classifier.build(random_state=self.seed)
        if (weights := self.targets.weights_of(clips)) is not None:
            passed |= classifier.weight_keywords(built, views.repeated(weights))
        rows = protected(views.stacked(self.matrix[clips]))
        return classifier.fit_states(built, rows, protected(views.repeated(states)), **passed)

    def _shared_thresholds(self, clips: Codes, states: NDArray[np.int8]) -> Floats:
        """Return thresholds by out-of-fold scores of all classes; NaN where none is chosen."""
        units = self.targets.unit_codes[clips]
        n_folds = min(N_INNER_FOLDS, len(np.unique(units)))
        enough = np.min([(states == state).sum(axis=0) for state in (0, 1)], axis=0) >= FEWEST
        thresholds = np.full(states.shape[1], np.nan)
        if n_folds < 2 or not enough.any():
            return thresholds
        scores = np.full(states.shape, np.nan)
        rows, halves = self.pipeline.views.to_predict(self.matrix), np.full(len(enough), HALF)
        splitter = IterativeKFold(n_folds, random_state=self.seed)
        for train, test in splitter.split(None, states == 1, units):
            inside = states[train]
            enough &= (inside == 1).any(axis=0) & (inside == 0).any(axis=0)
            model = self._columns(self._fitted_states(clips[train], inside), inside, halves)
            outputs = predict_states(model.mapped(self.scorer), rows, clips[test])
            assert outputs.scores is not None
            scores[test] = outputs.scores
        for code in np.flatnonzero(enough):
            known = states[:, code] >= 0
            weights = self.targets.weights_of(clips[known])
            y = (states[known, code] > 0).astype(np.intp)
            thresholds[code] = best_f1_threshold(y, scores[known, code], weights)
        return thresholds

    def scorer(self, estimator: Any) -> Any:
        """Return the object that predicts rows of `to_predict`, from an estimator of a class."""
        return self.pipeline.views.scorer(self.pipeline.classifier.scorer(estimator))

    def _fitted(self, clips: Codes, y: Codes) -> Any:
        built = self.pipeline.classifier.build(random_state=self.seed)
        options: Any = {"seed": self.seed, "in_batches": self.in_batches}
        return fit_clips(
            self.pipeline, built, self.matrix, self.targets, clips, y.copy(), **options
        )

    def _threshold(self, clips: Codes, y: Codes) -> float | None:
        """Return the threshold with the best F1; None for too few clips, or without scores."""
        if min(y.sum(), len(y) - y.sum()) < FEWEST:
            return None
        units = self.targets.unit_codes[clips] if self.targets.unit != "clip" else None
        folds = list(_inner_folds(y, units, self.seed))
        if not folds:
            return None
        scores = np.full(len(y), np.nan)
        rows = self.pipeline.views.to_predict(self.matrix)
        for train, test in folds:
            estimator = self.scorer(self._fitted(clips[train], y[train]))
            model = OneFitPerClass((estimator,), np.array([HALF]))
            outputs = predict_states(model, rows, clips[test])
            if outputs.scores is None:
                return None
            scores[test] = outputs.scores[:, 0]
        return best_f1_threshold(y, scores, self.targets.weights_of(clips))


def fit_final_classes(
    pipeline: Pipeline,
    matrix: NDArray[np.float32],
    targets: Targets,
    *,
    seed: int,
    in_batches: bool = False,
    choose: bool = False,
) -> FinalFit:
    """Fit each class on all clips that are labelled for it, as on the training side of a fold."""
    where = f"classifier {pipeline.name!r} ({pipeline.described}), on all clips"
    started = time.perf_counter()
    fitter = ClassFitter(pipeline, matrix, targets, seed, in_batches, choose)
    with guard(where, ClassifierError), recorded() as remarks:
        model = fitter.fit(np.arange(len(targets)))
    return FinalFit(model, time.perf_counter() - started, (*model.notes, *remarks))


def _not_chosen(count: int, n_classes: int) -> list[str]:
    if not count:
        return []
    which = f"the threshold of {count} of {n_classes} classes is {HALF}"
    return [f"{which}: too few training clips or groups with and without the class to choose one"]


def _constant_note(name: str, n_yes: int) -> str:
    if n_yes:
        return f"all labelled training clips have {name!r}; its score is 1 for every clip"
    return f"no labelled training clip has {name!r}; its score is 0 for every clip"


def _inner_folds(y: Codes, units: Codes | None, seed: int) -> list[tuple[Codes, Codes]]:
    """Return stratified folds that separate no unit; none if a training side lacks a state."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    if units is None:
        split: Any = StratifiedKFold(N_INNER_FOLDS, shuffle=True, random_state=seed)
    else:
        n_units = min(len(np.unique(units[y == state])) for state in (0, 1))
        if n_units < 2:
            return []
        n_folds = min(N_INNER_FOLDS, n_units)
        split = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    folds = list(split.split(y, y, units))
    return folds if all(0 < y[train].sum() < len(train) for train, _ in folds) else []


def best_f1_threshold(y: Codes, scores: Floats, weights: Floats | None = None) -> float:
    """Return the threshold with the best F1, halfway between two scores; the highest of equals.

    >>> best_f1_threshold(np.array([0, 1, 0, 1]), np.array([0.1, 0.3, 0.2, 0.9]))
    0.25
    """
    order = np.argsort(-scores, kind="stable")
    counts = np.ones(len(y)) if weights is None else weights
    falling, hits, found = scores[order], np.cumsum((counts * y)[order]), np.cumsum(counts[order])
    ends = np.append(np.flatnonzero(falling[1:] < falling[:-1]), len(y) - 1)
    f1 = divided(2 * hits[ends], found[ends] + hits[-1])
    end = int(ends[int(f1.argmax())])
    below = falling[end + 1] if end + 1 < len(y) else 0.0
    return float((falling[end] + below) / 2)


def thresholds_of(folds: Sequence[Any]) -> Floats | None:
    """Return the thresholds of the folds [shape=(n_folds, n_classes)], if they have some."""
    rows = [fold.thresholds for fold in folds if fold.thresholds is not None]
    return np.array(rows) if rows else None
