"""Fits of one pipeline on made-up rows, ever more of them, until one is no longer quick."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audioclf.base.errors import ClassifierError
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import Fold, Splits
from audioclf.experiment.planning.estimate import power_law, straight_line
from audioclf.experiment.planning.probe import Probe
from audioclf.experiment.planning.workload import Extent, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]
    Codes = NDArray[np.intp]

QUICK_SECONDS = 0.5
"""A fit that takes longer is the last of at least two."""
SLOW_SECONDS = 5.0
"""A fit that takes longer is the last, even if it is the first."""

_FEWEST_ROWS = 16
_MOST_BYTES = 64 << 20

_now = time.perf_counter


@dataclass(frozen=True, slots=True)
class FitCost:
    """What one fit at the real size takes, its predictions of the test side included.

    Parameters
    ----------
    seconds : float
        0 if no trial succeeded.
    memory : int
        Bytes that are allocated at the peak.
    problem : str
        Why no trial succeeded.
    """

    seconds: float
    memory: int
    problem: str = ""


@dataclass(frozen=True)
class Trial:
    """Fits one pipeline on few rows.

    Parameters
    ----------
    pipeline : Pipeline
    probe : Probe
        The clips that the rows are made of.
    sample : Sample
    extent : Extent
    seed : int
    """

    pipeline: Pipeline
    probe: Probe
    sample: Sample
    extent: Extent
    seed: int

    def cost(self) -> FitCost:
        """Carry the trials over to the real size: time by a power law, memory by a line."""
        points, problem = [], ""
        for n_rows in self._sizes():
            try:
                points.append((n_rows, self._seconds(n_rows)))
            except ClassifierError as exc:
                problem = exc.message
            else:
                if _is_enough([seconds for _, seconds in points]):
                    break
        if not points:
            return FitCost(0.0, self._least_bytes, problem)
        return FitCost(power_law(points, self.extent.n_train), self._memory(points))

    def _sizes(self) -> Iterator[int]:
        """Yield numbers of training rows, so many that most classes are there from the start."""
        most = self.extent.n_train
        wanted = min(2 * self.extent.n_classes, 8 * _FEWEST_ROWS)
        n_rows = min(most, max(_FEWEST_ROWS, wanted))
        yield n_rows
        while n_rows < most and 2 * n_rows * self._row_bytes <= _MOST_BYTES:
            n_rows = min(2 * n_rows, most)
            yield n_rows

    def _seconds(self, n_rows: int) -> float:
        """Time one fit, or the better of two where it is quick."""
        seconds = self._timed(n_rows)
        return seconds if seconds > QUICK_SECONDS else min(seconds, self._timed(n_rows))

    def _timed(self, n_rows: int) -> float:
        fit = self._fit(n_rows)
        started = _now()
        fit()
        return _now() - started

    def _memory(self, points: list[tuple[int, float]]) -> int:
        """Draw a line through the peaks of two fits that are not slow, the larger one quick."""
        sizes = [n_rows for n_rows, seconds in points if seconds <= SLOW_SECONDS]
        quick = [n_rows for n_rows, seconds in points if seconds <= QUICK_SECONDS]
        if not sizes:
            return self._least_bytes
        larger = max([*sizes[:2], *quick])
        peaks = [(n_rows, float(peak_bytes(self._fit(n_rows)))) for n_rows in (sizes[0], larger)]
        return max(self._least_bytes, round(straight_line(peaks, self.extent.n_train)))

    @property
    def _least_bytes(self) -> int:
        """The rows of one fold, which are copied out of the design matrix."""
        return self._row_bytes * (self.extent.n_train + self.extent.n_test)

    @property
    def _row_bytes(self) -> int:
        return 4 * int(self.probe.rows[self.pipeline.featurizer].shape[1])

    def _fit(self, n_train: int) -> Callable[[], object]:
        n_test = max(1, round(n_train * self.extent.n_test / self.extent.n_train))
        y = np.concatenate([self.sample.labels(n_train), self.sample.labels(n_test)])
        fold = Fold(0, "probe", np.arange(n_train), np.arange(n_train, len(y)))
        matrices = {self.pipeline.featurizer: self._made_up(y)}
        splits = Splits((fold,), "probe")
        return lambda: evaluate([self.pipeline], matrices, y, splits, seed=self.seed)

    def _made_up(self, y: Codes) -> Matrix:
        """Return a row per label: one of its class if the probe has any, moved a little.

        It is moved by half the difference of two other rows: so columns go together as they do in
        recordings, and classes overlap. White noise leaves classes too easy to tell apart, and
        fits are several times too fast.
        """
        rng = np.random.default_rng(0)
        rows, codes = self.probe.rows[self.pipeline.featurizer], self.probe.codes
        picked, one, other = rng.integers(len(rows), size=(3, len(y)))
        for code in np.unique(codes):
            (wanted,) = np.nonzero(y == code)
            picked[wanted] = rng.choice(np.flatnonzero(codes == code), size=len(wanted))
        made: Matrix = rows[picked] + np.float32(0.5) * (rows[one] - rows[other])
        return made


def _is_enough(seconds: list[float]) -> bool:
    return seconds[-1] > (QUICK_SECONDS if len(seconds) > 1 else SLOW_SECONDS)


def peak_bytes(work: Callable[[], object]) -> int:
    """Return the bytes that some work allocates at its peak, as far as Python and NumPy know."""
    traced = tracemalloc.is_tracing()
    if not traced:
        tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        work()
        return max(0, tracemalloc.get_traced_memory()[1] - before)
    finally:
        if not traced:
            tracemalloc.stop()
