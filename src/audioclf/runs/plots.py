"""Plots of a run, each as PNG and as SVG.

They need no display, and their colours suit colour-blind readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from audioclf.components.metrics import of_class
from audioclf.evaluation.metrics.curves import precision_recall_curve, roc_curve
from audioclf.runs.figures import BLUE, COLOURS, draw_colours, new_axes, new_figure, plain, short
from audioclf.runs.folder import PIPELINES

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from audioclf.config.run_config import RunConfig
    from audioclf.dataset.dataset import Dataset
    from audioclf.evaluation.results import PipelineResult

_ESTIMATE = ("value", "low", "high")

_MAX_SECTIONS, _MAX_FRAMES = 800, 800
"""Sections of a waveform and frames of its features that are drawn; a plot has 650 pixels."""

_N_TICKS = 4
"""Intervals between the numbers at an axis of an example at most."""

MAX_EXAMPLES = 8
"""Classes of which an example is drawn at most."""

MAX_CONFUSIONS = 20
"""Pipelines with a plot of their confusion matrix at most, the best."""

_MAX_NAMED, MAX_LINES = 40, 12
"""Classes up to which a plot names each one, and curves in a plot at most."""


@dataclass(frozen=True)
class Example:
    """A clip of a class with its features, reduced to what a picture can show.

    `y` [shape=(n_points,)] are the samples, or the `envelope`; `features`
    [shape=(n_bins, n_frames)] all frames, or some at equal distances.
    """

    label: str
    clip_id: str
    seconds: float
    y: NDArray[np.float32]
    features: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        label: str,
        clip_id: str,
        y: NDArray[np.float32],
        sr: int,
        features: NDArray[np.float32],
    ) -> Example:
        """Reduce a clip, so that the memory of a plot does not grow with the length of clips."""
        import numpy as np

        step = math.ceil(features.shape[1] / _MAX_FRAMES)
        thin = np.array(features[:, step // 2 :: step])
        return cls(label, clip_id, len(y) / sr, envelope(y, _MAX_SECTIONS), thin)


def envelope(y: NDArray[np.float32], n_sections: int) -> NDArray[np.float32]:
    """Return the smallest and the largest sample of each section, or a short waveform as it is."""
    import numpy as np

    if len(y) <= 2 * n_sections:
        return y
    starts = np.arange(n_sections) * len(y) // n_sections
    lowest, highest = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    return np.stack([lowest, highest], axis=1).ravel()


def plots_of(
    config: RunConfig,
    metrics: Mapping[str, Any],
    results: Sequence[PipelineResult],
    dataset: Dataset,
    examples: Sequence[Example],
) -> dict[str, Callable[[], Figure | None]]:
    """Return what draws each plot of a run, by its name; None for a plot without a curve.

    `metrics` is the content of `metrics.json`. Curves and F1 by class are of the best learned
    pipeline; two classes have curves of all.
    """
    import numpy as np

    in_classes = dataset.in_ranges() if dataset.is_numbers else dataset
    featurizer = next(iter(config.featurizers))
    row_name = config.featurizers[featurizer].row_name
    pipelines: Mapping[str, Any] = metrics[PIPELINES]
    main = config.metrics[0]
    estimates = {name: item["metrics"][main] for name, item in pipelines.items()}
    metric = f"{main.replace('_', ' ')}{of_class(main, dataset.classes)}"
    label = f"{metric} with 95 % intervals"
    plots: dict[str, Callable[[], Figure | None]] = {
        "classes": partial(draw_class_counts, in_classes.class_counts),
        "examples": partial(draw_examples, examples, featurizer, row_name),
        "comparison": partial(draw_estimates, estimates, label, "Pipelines, the best first"),
    }
    if dataset.is_numbers:
        by_name = {item.pipeline.name: item for item in results}
        for name in list(pipelines)[:MAX_CONFUSIONS]:
            draw = partial(draw_numbers, by_name[name], dataset.targets.truth, name)
            plots[f"predicted-{name.replace('/', '--')}"] = draw
        return plots
    confused = [] if dataset.is_several else list(pipelines.items())[:MAX_CONFUSIONS]
    for name, item in confused:
        confusion, title = np.asarray(item["confusion"]), f"Confusion matrix: {name}"
        draw = partial(draw_confusion, confusion, dataset.classes, title)
        plots[f"confusion-{name.replace('/', '--')}"] = draw
    learned = [item for item in results if not item.pipeline.is_baseline] or results
    learned = sorted(learned, key=lambda item: list(pipelines).index(item.pipeline.name))
    best = learned[0].pipeline.name
    per_class = pipelines[best]["per_class"]
    plots["per-class"] = partial(draw_classes, per_class, f"F1 by class: {best}")
    codes = curve_classes(pipelines[best])
    if len(dataset.classes) > 2 or dataset.is_several:
        shown = f"{best}, {len(codes)} of {len(dataset.classes)} classes"
        lines = [(dataset.classes[code], learned[0], code) for code in codes]
    else:
        shown = f"positive class {dataset.classes[-1]}"
        lines = [(item.pipeline.name, item, codes[0]) for item in learned[:MAX_LINES]]

    def draw_roc() -> Figure | None:
        rocs = [(name, roc_curve(item, dataset.targets, code)) for name, item, code in lines]
        curves = [(name, c.fpr, c.tpr, c.area) for name, c in rocs if c]
        axes = ("false positive rate", "true positive rate")
        return draw_curves(curves, f"ROC curve: {shown}", axes, "AUC") if curves else None

    def draw_precision_recall() -> Figure | None:
        made = [(n, precision_recall_curve(item, dataset.targets, code)) for n, item, code in lines]
        curves = [(name, c.recall, c.precision, c.average_precision) for name, c in made if c]
        title, axes = f"Precision-recall curve: {shown}", ("recall", "precision")
        return draw_curves(curves, title, axes, "AP") if curves else None

    return plots | {"roc": draw_roc, "precision-recall": draw_precision_recall}


def curve_classes(pipeline: Mapping[str, Any]) -> list[int]:
    """Return the classes that have a curve, for the entry of a pipeline in `metrics.json`.

    That is the second of two, else those of lowest recall; of several labels, which have no
    confusion matrix, those with the lowest average precision, that have one.
    """
    import numpy as np

    if "confusion" not in pipeline:
        values = [item["average_precision"]["value"] for item in pipeline["per_class"].values()]
        defined = [code for code, v in enumerate(values) if v is not None and not math.isnan(v)]
        return sorted(sorted(defined, key=lambda code: float(values[code]))[:MAX_LINES])
    confusion = np.asarray(pipeline["confusion"], dtype=np.float64)
    if len(confusion) <= 2:
        return [len(confusion) - 1]
    recall = np.diag(confusion) / np.maximum(n := confusion.sum(axis=1), 1e-9) + (n == 0)
    return sorted(int(code) for code in np.argsort(recall, kind="stable")[:MAX_LINES])


def draw_class_counts(counts: Mapping[str, int]) -> Figure:
    """Draw the number of clips of each class; of many classes the sorted numbers."""
    title = f"{sum(counts.values())} clips in {len(counts)} classes"
    if len(counts) > _MAX_NAMED:
        figure, axes = new_axes(6.4, 3.2, title)
        values = sorted(counts.values(), reverse=True)
        axes.fill_between(range(len(values)), values, step="mid", color=BLUE, linewidth=0)
        axes.set_ylim(0, 1.1 * values[0])
        axes.set_xlabel("classes, the largest first")
        axes.set_ylabel("clips")
        return figure
    figure, axes = new_axes(6.4, 0.9 + 0.28 * len(counts), title, names=list(counts))
    bars = axes.barh(range(len(counts)), list(counts.values()), color=BLUE)
    axes.bar_label(bars, padding=3)
    axes.set_xlabel("clips")
    axes.margins(x=0.1)
    return figure


def draw_examples(examples: Sequence[Example], featurizer: str, row_name: str) -> Figure:
    """Draw for each class the waveform of a clip beside its features, all in one scale of colours.

    Rows of features in very different ranges, such as those of MFCC, are each scaled to mean 0 and
    standard deviation 1.
    """
    import numpy as np

    height = 2.0 * len(examples) + 0.6
    figure = new_figure(9.0, height)
    rows = figure.subplots(len(examples), 2, squeeze=False)
    bottom, top = 0.5 / height, 1 - 0.35 / height
    figure.subplots_adjust(left=0.09, right=0.9, top=top, bottom=bottom, hspace=0.4, wspace=0.23)
    matrices = [example.features for example in examples]
    ranges = [np.ptp(matrix, axis=1) for matrix in matrices]
    whole = [np.ptp(matrix) for matrix in matrices]
    scaled = bool(np.median(whole) > 3 * np.median(np.concatenate(ranges)))
    if scaled:
        matrices = [_standardized(matrix) for matrix in matrices]
    low, high = min(map(np.min, matrices)), max(map(np.max, matrices))
    for (left, right), example, matrix in zip(rows, examples, matrices, strict=True):
        _draw_waveform(left, example)
        image = right.imshow(
            matrix,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=low,
            vmax=high,
            extent=(0.0, example.seconds, 0, len(matrix)),
            interpolation="nearest",
        )
        right.set_ylabel(row_name)
    rows[0, 1].set_title(plain(featurizer) + ", each row scaled" * scaled, fontsize=9, y=1.0)
    # One scale for all examples: they can be compared, and each axis takes time.
    bar = figure.add_axes((0.915, bottom, 0.012, top - bottom))
    draw_colours(bar, image, "deviations" if scaled else "")
    for axes in rows.flat:
        axes.locator_params(nbins=_N_TICKS)  # each number takes time
    for axes in rows[-1]:
        axes.set_xlabel("time (s)")
    return figure


def _standardized(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    spread = np.maximum(matrix.std(axis=1, keepdims=True), 1e-9)
    scaled: NDArray[np.float32] = (matrix - matrix.mean(axis=1, keepdims=True)) / spread
    return scaled


def _draw_waveform(axes: Axes, example: Example) -> None:
    import numpy as np

    times = np.arange(len(example.y)) * (example.seconds / len(example.y))
    axes.plot(times, example.y, linewidth=0.4, color=BLUE)
    axes.set_xlim(0.0, example.seconds)
    axes.set_ylabel("amplitude")
    axes.set_title(f"{short(example.label)}: {plain(example.clip_id)[-48:]}", fontsize=9, y=1.0)


def draw_estimates(estimates: Mapping[str, Any], label: str, title: str) -> Figure:
    """Draw values with their intervals, the first on top; a missing value has no point."""
    figure, axes = new_axes(6.4, 1.0 + 0.32 * len(estimates), title, names=list(estimates))
    for at, estimate in enumerate(estimates.values()):
        value, low, high = ((estimate or {}).get(key) for key in _ESTIMATE)
        if value is not None:
            axes.plot([value], [at], "o", color=BLUE, markersize=5)
        if low is not None and high is not None:
            axes.plot([low, high], [at, at], color=BLUE, linewidth=2, alpha=0.5)
    axes.set_xlabel(label)
    axes.grid(axis="x", linewidth=0.4)
    axes.margins(x=0.08)
    return figure


def draw_classes(scores: Mapping[str, Any], title: str) -> Figure:
    """Draw the F1 of each class with its interval, the lowest on top; of many, the lowest."""
    rows = sorted(scores.items(), key=lambda row: row[1]["f1"]["value"])
    if len(rows) > _MAX_NAMED:
        title += f", the lowest {_MAX_NAMED} of {len(rows)}"
    estimates = {name: row["f1"] for name, row in rows[:_MAX_NAMED]}
    figure = draw_estimates(estimates, "F1 with 95 % intervals", title)
    figure.axes[0].set_xlim(-0.02, 1.02)
    return figure


def draw_curves(
    curves: Sequence[tuple[str, Sequence[float], Sequence[float], float]],
    title: str,
    axes_names: tuple[str, str],
    area_name: str,
) -> Figure:
    """Draw curves, each with its name, points as x and y, and area."""
    figure, axes = new_axes(6.4, 4.6, title, names=())
    for n, (name, x, y, area) in enumerate(curves):
        style = "-" if n < len(COLOURS) else "--"
        label = f"{short(name)} ({area_name} {area:.3f})"
        axes.plot(x, y, style, color=COLOURS[n % len(COLOURS)], linewidth=1.5, label=label)
    if area_name == "AUC":
        axes.plot([0, 1], [0, 1], ":", color="#888888", linewidth=1)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.set_xlabel(axes_names[0])
    axes.set_ylabel(axes_names[1])
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=7, frameon=False)
    figure.subplots_adjust(left=0.1, right=0.66, top=0.92, bottom=0.12)
    return figure


def draw_learning_curve(
    lines: Mapping[str, Sequence[Mapping[str, Any]]], axis: str, label: str
) -> Figure:
    """Draw points of `learning_curve.json` beside each other, with their intervals."""
    import numpy as np

    figure, axes = new_axes(6.4, 4.0, "Learning curve", names=())
    sizes = sorted({point["clips_per_class"] for points in lines.values() for point in points})
    for n, (name, points) in enumerate(lines.items()):
        x = [p["clips_per_class"] * 1.025 ** (n - (len(lines) - 1) / 2) for p in points]
        y, low, high = (np.array([p[key] for p in points], float) for key in _ESTIMATE)
        colour, style = COLOURS[n % len(COLOURS)], "-" if n < len(COLOURS) else "--"
        axes.plot(x, y, style, marker="o", markersize=4, color=colour, label=short(name))
        axes.vlines(x, low, high, color=colour, linewidth=2, alpha=0.4)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:.3g}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel=axis, ylabel=label)
    axes.grid(axis="y", linewidth=0.4)
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=7, frameon=False)
    figure.subplots_adjust(left=0.1, right=0.7, top=0.92, bottom=0.13)
    return figure


def draw_confusion(confusion: NDArray[np.float64], classes: Sequence[str], title: str) -> Figure:
    """Draw a confusion matrix: a row per true class, in per cent of its clips.

    `confusion` [shape=(n_classes, n_classes)] are the mean numbers of clips per repeat; rows are
    true, columns predicted. Many classes are numbered, not named.
    """
    import numpy as np

    named = len(classes) <= _MAX_NAMED
    names = [short(name) for name in classes] if named else []
    longest = max(map(len, names), default=2)
    few = len(classes) <= 20
    side = max(2.4, (0.34 if few else 0.2) * len(names)) if named else 6.0
    left, bottom = 0.6 + 0.085 * longest, 0.6 + 0.065 * longest
    width, height = left + side + 1.2, bottom + side + 0.4
    figure = new_figure(width, height)
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    beside = ((left + side + 0.15) / width, bottom / height, 0.15 / width, side / height)
    totals = confusion.sum(axis=1, keepdims=True)
    share = np.divide(confusion, totals, out=np.zeros_like(confusion), where=totals > 0)
    image = axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0, interpolation="nearest")
    if named:
        size = None if few else 7
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=size)
        axes.set_yticks(range(len(names)), names, fontsize=size)
    order = "" if named else ", in alphabetical order"
    axes.set_xlabel(f"predicted class{order}")
    axes.set_ylabel(f"true class{order}")
    axes.set_title(plain(title), fontsize=10, y=1.0)
    if few:
        _write_counts(axes, confusion, share)
    draw_colours(figure.add_axes(beside), image, "share of the true class")
    return figure


def _write_counts(axes: Axes, confusion: NDArray[np.float64], share: NDArray[np.float64]) -> None:
    for row, counts in enumerate(confusion.tolist()):
        for column, count in enumerate(counts):
            colour = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count:.4g}", ha="center", va="center", color=colour)


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
