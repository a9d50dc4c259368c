"""Shortcuts of several labels per clip: each class is predicted by itself, yes against no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from typing_extensions import override

from audioclf.audit.inputs import AuditInput
from audioclf.audit.remembered import Remember
from audioclf.audit.shortcuts.probe import (
    SPREAD,
    Best,
    Column,
    ProbeResult,
    ShortcutProbe,
    row_of_class,
)
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.targets import Targets
from audioclf.evaluation.results import FoldResult, PipelineResult
from audioclf.evaluation.splits import Fold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Kind = TypeVar("_Kind", bound=str)

MAX_CLASSES = 20
"""Classes that are examined, those of most clips."""


class LabelProbe(ShortcutProbe):
    """Fits forests that predict one of several labels, on the clips that are labelled for it."""

    def __init__(
        self, dataset: Dataset, folds: Sequence[Fold], seed: int, remember: Remember, code: int
    ) -> None:
        targets = dataset.targets
        assert targets.states is not None
        state = targets.states[:, code]
        self.code, self.known = code, state >= 0
        self.at = np.cumsum(self.known) - 1  # position of a labelled clip among these
        self.label = targets.classes[code]
        self.words = (f"label {self.label!r}", "balanced accuracy")  # type: ignore[misc]
        y = (state[self.known] > 0).astype(np.intp)
        units = targets.unit_codes[self.known]
        self.targets = Targets((f"not {self.label}", self.label), y, targets.unit, units)
        self.folds = [fold for fold in map(self._sides, folds) if len(fold.test)]
        self.seed, self.remember = seed, remember

    @property
    def can_learn(self) -> bool:
        """Whether each training side, and all test sides together, hold yes and no."""
        sides = [fold.train for fold in self.folds]
        sides.append(np.concatenate([fold.test for fold in self.folds] or [np.empty(0, np.intp)]))
        return all(len(np.unique(self.targets.codes[side])) == 2 for side in sides)

    @override
    def fit(self, columns: Sequence[Column]) -> ProbeResult:
        return super().fit([replace(c, values=c.values[self.known]) for c in columns])

    @override
    def best(self, results: Iterable[PipelineResult]) -> Best | None:
        return super().best(
            [replace(r, folds=tuple(map(self._of_class, r.folds))) for r in results]
        )

    def _row(self, column: Column) -> dict[str, Any]:
        return row_of_class(column, self.targets, 1)

    def _sides(self, fold: Fold) -> Fold:
        train, test = (self.at[clips[self.known[clips]]] for clips in (fold.train, fold.test))
        return Fold(fold.repeat, fold.name, train, test)

    def _of_class(self, result: FoldResult) -> FoldResult:
        predicted: NDArray[Any] = result.y_pred[self.known[result.fold.test], self.code]
        y_pred = predicted.astype(np.intp)
        return FoldResult(self._sides(result.fold), y_pred, None, "none", 0, 0)


@dataclass(frozen=True)
class OfClass:
    """What is found for one class; `probed` has a result for each table."""

    probe: LabelProbe
    probed: dict[Any, ProbeResult]
    best: Best | None


def probe_classes(
    dataset: Dataset,
    folds: Sequence[Fold],
    tables: Mapping[_Kind, Sequence[Column]],
    inputs: AuditInput,
) -> list[OfClass]:
    """Return the results for the classes of most clips that all training sides can learn.

    So that many classes give no more false alarms than one, the uncertainty of each is that of a
    level of 5 % divided by their number.
    """
    codes = np.argsort(-dataset.targets.counts, kind="stable")[:MAX_CLASSES].tolist()
    every = [LabelProbe(dataset, folds, inputs.seed, inputs.remember, code) for code in codes]
    probes = [probe for probe in every if probe.can_learn]
    normal = NormalDist()
    many = normal.inv_cdf(1 - 0.025 / max(len(probes), 1)) / normal.inv_cdf(0.975)
    return [
        OfClass(
            probe,
            {k: replace(probe.fit(table), spread=SPREAD * many) for k, table in tables.items()},
            probe.best(inputs.results),
        )
        for probe in probes
    ]
