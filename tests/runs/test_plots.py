"""Pictures: PNG, whatever the names are, without a display."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from audioclf.runs.plots import Example, plot_class_distribution, plot_confusion, plot_examples
from tests.conftest import imported_by

NASTY = ["a", "$\\frac{", "<script>", "\x1b[31m", "猫", "x" * 300, "_^{", "", "  "]


def size(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return image.size


def test_classes_with_any_name_are_drawn_and_more_make_a_taller_picture() -> None:
    assert size(plot_class_distribution(dict.fromkeys(NASTY, 3)))[0] > 400
    few, many = ({str(i): 3 for i in range(n)} for n in (3, 50))
    assert size(plot_class_distribution(many))[1] > 2 * size(plot_class_distribution(few))[1]


@pytest.mark.parametrize("n_samples", [1, 4000])
def test_examples_are_drawn_even_when_they_are_short(n_samples: int) -> None:
    y = np.zeros(n_samples, dtype=np.float32)
    features = np.zeros((4, 1 + n_samples // 512), dtype=np.float32)
    examples = [Example.of(name, f"{name}/1.wav", y, 8000, features) for name in NASTY[:3]]
    assert size(plot_examples(examples, "mel"))[1] > 300


@pytest.mark.slow
def test_long_examples_are_reduced_to_what_is_drawn() -> None:
    y = np.zeros(8_000_000, dtype=np.float32)
    y[[0, 5_000_000, -1]] = 0.25, -0.5, 0.75
    features = np.zeros((4, 15_625), dtype=np.float32)
    example = Example.of("a", "a/1.wav", y, 8000, features)
    assert (example.seconds, example.y.size, example.features.shape) == (1000.0, 20_000, (4, 3906))
    assert (example.y[1], example.y[-1], example.y.min()) == (0.25, 0.75, -0.5)
    assert example.features.base is None
    tracemalloc.start()
    plot_examples([example], "mel")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6


@pytest.mark.parametrize("n_samples", [1, 19_999, 20_000])
def test_short_examples_are_drawn_sample_by_sample(n_samples: int) -> None:
    y = np.arange(n_samples, dtype=np.float32)
    assert Example.of("a", "a", y, 8000, y[None, :4000]).y is y


@pytest.mark.parametrize("n_classes", [2, 9, 30])
def test_a_confusion_matrix_is_drawn_for_any_number_of_classes(n_classes: int) -> None:
    names = (NASTY * 4)[:n_classes]
    confusion = np.eye(n_classes)
    confusion[0] = 0
    assert size(plot_confusion(confusion, names, "mel/$svm")) > (300, 300)


def test_drawing_has_the_same_bytes_and_touches_no_global_state_of_matplotlib() -> None:
    assert plot_class_distribution({"a": 1}) == plot_class_distribution({"a": 1})
    code = "from audioclf.runs.plots import plot_class_distribution as p; p({'a': 1})"
    assert imported_by(code, ["matplotlib.pyplot", "matplotlib.figure"]) == {"matplotlib.figure"}
