"""Plots: PNG and SVG, whatever the names are, without a display."""

import io
import tracemalloc
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.runs import figures, plots
from audioclf.runs.plots import Example
from tests.conftest import imported_by, tone
from tests.finished_runs import plotted_run

NASTY = ["a", "$\\frac{", "<script>", "\x1b[31m", "猫", "x" * 300, "_^{", "", "  "]


def size(figure: Figure) -> tuple[int, int]:
    """Return the pixels of a PNG, after a check of the PNG and the SVG."""
    saved = figures.saved(figure)
    ElementTree.fromstring(saved["svg"])
    with Image.open(io.BytesIO(saved["png"])) as image:
        assert image.format == "PNG"
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
        return image.size


def example(name: str, n_samples: int = 4000) -> Example:
    y = np.zeros(n_samples, dtype=np.float32)
    return Example.of(name, f"{name}/1.wav", y, 8000, np.zeros((4, 1 + n_samples // 512), "f"))


@pytest.mark.slow
def test_classes_with_any_name_are_drawn_and_more_than_forty_as_sorted_numbers() -> None:
    few = size(plots.draw_class_counts(dict.fromkeys(NASTY, 3)))
    more, many = (size(plots.draw_class_counts({str(i): 3 for i in range(n)})) for n in (40, 300))
    assert more[1] > 2 * few[1] > many[1]


@pytest.mark.parametrize("n_samples", [1, 4000])
def test_examples_are_drawn_even_when_they_are_short(n_samples: int) -> None:
    figure = plots.draw_examples([example(name, n_samples) for name in NASTY[1:3]], "mel", "band")
    assert size(figure)[1] > 300


def test_rows_of_mfcc_are_scaled_so_that_the_level_does_not_hide_the_others() -> None:
    y = tone(500.0, 0.5, 8000, seed=0)
    features = Mfcc().extract(y, 8000)
    figure = plots.draw_examples([Example.of("a", "a", y, 8000, features)], "mfcc", Mfcc.row_name)
    axes = figure.axes[1]
    rows = np.asarray(axes.images[0].get_array()).std(axis=1)
    np.testing.assert_allclose(rows, 1.0, atol=1e-3)
    assert (axes.get_title(), axes.get_ylabel()) == ("mfcc, each row scaled", "coefficient")


@pytest.mark.slow
def test_long_examples_are_reduced_to_what_is_drawn() -> None:
    y = np.zeros(8_000_000, dtype=np.float32)
    y[[0, 5_000_000, -1]] = 0.25, -0.5, 0.75
    features = np.zeros((4, 15_625), dtype=np.float32)
    long = Example.of("a", "a/1.wav", y, 8000, features)
    assert (long.seconds, long.y.size, long.features.shape) == (1000.0, 1600, (4, 781))
    assert (long.y[1], long.y[-1], long.y.min()) == (0.25, 0.75, -0.5)
    assert long.features.base is None
    tracemalloc.start()
    plots.draw_examples([long], "mel", "band")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6


@pytest.mark.parametrize("n_samples", [1, 1_599, 1_600])
def test_short_examples_are_drawn_sample_by_sample(n_samples: int) -> None:
    y = np.arange(n_samples, dtype=np.float32)
    assert Example.of("a", "a", y, 8000, y[None, :800]).y is y


@pytest.mark.parametrize("n_classes", [2, 9, 41])
def test_a_confusion_matrix_is_drawn_for_any_number_of_classes(n_classes: int) -> None:
    names = (NASTY * 5)[:n_classes]
    confusion = np.eye(n_classes)
    confusion[0] = 0
    figure = plots.draw_confusion(confusion, names, "mel/$svm")
    assert size(figure) > (300, 300)
    assert (figure.axes[0].get_xlabel() == "predicted class") == (n_classes <= 40)


def test_values_and_curves_are_drawn_with_their_names() -> None:
    known = {"value": 0.5, "low": 0.25, "high": None}
    size(
        plots.draw_estimates(
            {"a": known, "$b": None, "c": {**known, "high": 0.75}}, "x", "accuracy"
        )
    )
    classes = {f"c{n}": {"f1": {"value": n / 50, "low": 0, "high": 1}} for n in range(50)}
    figure = plots.draw_classes(classes, "F1 by class")
    assert figure.axes[0].get_title() == "F1 by class, the lowest 40 of 50"
    curves = [(name, [0.0, 1.0], [0.0, 1.0], 0.5) for name in NASTY]
    figure = plots.draw_curves(curves, "ROC", ("fpr", "tpr"), "AUC")
    size(figure)
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines[:-1]}
    assert len(looks) == len(NASTY)


@pytest.mark.slow
def test_a_run_has_each_plot_in_both_forms(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder: Path = plotted_run(tmp_path_factory.getbasetemp()) / "plots"
    names = {"classes", "examples", "comparison", "per-class", "roc", "precision-recall"}
    names |= {f"confusion-{name}" for name in ("knn", "svm", "logreg", "baseline")}
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.{form}" for name in names for form in ("png", "svg")
    }
    assert "logreg (AUC" in (folder / "roc.svg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_drawing_has_the_same_bytes_and_touches_no_global_state_of_matplotlib() -> None:
    first, second = (figures.saved(plots.draw_class_counts({"a": 1})) for _ in range(2))
    assert first == second
    code = "from audioclf.runs.plots import draw_class_counts as p; p({'a': 1})"
    assert imported_by(code, ["matplotlib.pyplot", "matplotlib.figure"]) == {"matplotlib.figure"}


def test_lines_and_texts_are_as_wide_in_the_svg_as_in_the_png() -> None:
    """Both have one layout in pixels, of which 200 are an inch of 72 points."""
    figure = Figure(figsize=(2.0, 1.0))
    figure.add_artist(Line2D([0, 1], [0, 1], linewidth=3.6, linestyle=(0, (1, 2)), color="k"))
    figure.text(0.5, 0.5, "text", fontsize=18)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.vlines([0.2, 0.8], 0, 1, linewidth=7.2, linestyle="--")
    svg = figures.saved(figure)["svg"].decode()
    assert 'width="144pt" height="72pt" viewBox="0 0 400 200"' in svg
    for style in (
        "stroke-width: 10",
        "stroke-dasharray: 10,20",
        "stroke-width: 20",
        "font-size: 50px",
    ):
        assert style in svg
