"""Plots of predicted numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclf.runs.figures import BLUE, new_figure, plain

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from audioclf.evaluation.results import PipelineResult


def draw_numbers(result: PipelineResult, truth: NDArray[np.float64], title: str) -> Figure:
    """Draw predicted numbers and residuals of the test clips against the true numbers."""
    import numpy as np

    true = np.concatenate([truth[fold.fold.test] for fold in result.folds])
    predicted = np.concatenate([fold.y_pred for fold in result.folds])
    figure = new_figure(8.0, 4.0)
    left, right = figure.subplots(1, 2)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    left.plot(ends, ends, ":", color="#888888", linewidth=1)
    right.axhline(0.0, linestyle=":", color="#888888", linewidth=1)
    for axes, values, name in ((left, predicted, "predicted"), (right, predicted - true, "error")):
        axes.plot(true, values, "o", color=BLUE, markersize=4, alpha=0.5, markeredgewidth=0)
        axes.set(xlabel="true", ylabel=name)
        axes.spines[["top", "right"]].set_visible(False)
    right.set_ylabel("predicted minus true")
    figure.suptitle(plain(title), fontsize=10)
    figure.subplots_adjust(left=0.09, right=0.98, top=0.9, bottom=0.13, wspace=0.28)
    return figure
