"""Calibration of several labels: each class by itself, with equal labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from audioclf.base.errors import ModelError
from audioclf.evaluation.class_fits import OneFitPerClass
from audioclf.evaluation.results import FoldResult
from audioclf.evaluation.splits import Fold
from audioclf.models.bundle.reading import load, read_bundle
from audioclf.models.calibration.effects import Scored
from audioclf.models.calibration.maps import calibrated_states
from audioclf.models.calibration.records import Calibration, Sigmoid
from audioclf.models.calibration.states import effects_of_states, with_thresholds
from audioclf.models.fold import predict_fold
from audioclf.models.onnx.graph_model import GraphModel
from tests.models.making import forged, registry, written
from tests.models.test_fits_in_onnx import of_states
from tests.targets import several_targets


def scored(*, n: int = 400, units: Any = None) -> Scored:
    """Return scores that are too sure of the first class, and of which the last has few clips."""
    rng = np.random.default_rng(0)
    odds = rng.normal(size=(n, 3))
    states = (rng.random((n, 3)) < expit(odds)).astype(np.int8)
    states[rng.random((n, 3)) < 0.1] = -1
    states[9:, 2] = 0
    clips = np.arange(n)
    fold = Fold(0, "0", clips[:0], clips)
    scores = expit(odds * [4.0, 1.0, 1.0])
    result = FoldResult(fold, (scores >= 0.5).astype(np.int8), scores, "probability", 0.0, 0.0)
    return Scored((result,), several_targets(states, units))


@pytest.mark.parametrize("units", [None, np.arange(400) // 8])
def test_each_class_is_calibrated_by_its_labelled_clips(units: Any) -> None:
    found = effects_of_states(scored(units=units), seed=0)
    calibration = found.calibration
    assert calibration is not None
    assert (calibration.clips, calibration.units) == (400, 400 if units is None else 50)
    assert isinstance(calibration.mapping, Sigmoid)
    assert calibration.mapping.slopes == pytest.approx([0.25, 1.0, 1.0], rel=0.25)
    assert (calibration.mapping.slopes[2], calibration.mapping.intercepts[2]) == (1.0, 0.0)
    assert "has uncalibrated scores of 1 of 3 classes" in found.notes[0]
    for change in calibration.effect.values():
        assert change.after < change.before
        assert change.high < 0


def test_what_is_not_labelled_has_no_part() -> None:
    rows = scored()
    states = rows.targets.states
    assert states is not None
    assert rows.folds[0].scores is not None
    one, two = effects_of_states(rows, seed=0), rows.folds[0].scores
    two[states < 0] = 0.5
    assert effects_of_states(rows, seed=0) == one


def test_classes_without_enough_clips_are_not_calibrated() -> None:
    rows = scored(n=12)
    found = effects_of_states(rows, seed=0)
    assert found.calibration is None
    assert "no class has 10 tested clips with it and without it" in found.notes[0]


def test_a_model_gives_the_same_labels_with_calibration(tmp_path: Path) -> None:
    fit = of_states("logistic_regression", {})
    mapping = Sigmoid(slopes=(0.4, 1.0, 2.0), intercepts=(-1.0, 0.0, 0.5))
    calibration = Calibration(mapping=mapping, clips=75, units=75, unit="clip", effect={})
    plain = load(written(tmp_path / "a.audioclf", fit))
    path = written(tmp_path / "b.audioclf", fit, calibration=calibration, graph=True)
    model = load(path)
    rows = fit.X
    np.testing.assert_array_equal(model.states_of(rows), plain.states_of(rows))
    odds = logit(plain.scores_of(rows)[:, 0].clip(1e-4, 1 - 1e-4))
    expected = expit(0.4 * odds - 1.0)
    assert model.scores_of(rows)[:, 0] == pytest.approx(expected)
    sound = np.random.default_rng(5).normal(0, 0.1, 8_000)
    by_graph = load(path, graph="always")
    assert by_graph.scores(sound, sr=8000) == pytest.approx(model.scores(sound, sr=8000), abs=1e-5)
    assert by_graph.predict(sound, sr=8000) == plain.predict(sound, sr=8000)
    assert isinstance(by_graph, GraphModel)
    row = by_graph.graph.row(sound.astype(np.float32))[None]
    fold = Fold(0, "0", np.arange(0), np.arange(1))
    evaluated = predict_fold(by_graph, "graph", row, fold, by_graph.classes)
    np.testing.assert_array_equal(evaluated.scores, by_graph.scores_of(row))
    assert read_bundle(path, registry()).manifest.calibration is not None

    def shorten(manifest: dict[str, Any]) -> None:
        manifest["calibration"]["mapping"]["slopes"] = [1.0]

    with pytest.raises(ModelError, match="a calibration of 1 and 3 curves for 3 classes"):
        load(forged(path, edit=shorten))


def test_a_class_with_a_threshold_beyond_the_curve_keeps_its_scores() -> None:
    mapping = Sigmoid(slopes=(2.0, 2.0), intercepts=(1.0, 1.0))
    calibration = Calibration(mapping=mapping, clips=9, units=9, unit="clip", effect={})
    kept, limits = with_thresholds(calibration, np.array([1e-5, 0.3]))
    assert isinstance(kept.mapping, Sigmoid)
    assert kept.mapping.slopes == (1.0, 2.0)
    assert limits == pytest.approx([1e-5, expit(2 * logit(0.3) + 1)])
    assert calibrated_states(kept.mapping, np.array([[1e-7, 0.3]]))[0, 0] == 1e-7
    assert (
        OneFitPerClass((0.0, 0.0), limits).outputs(np.zeros((1, 1), np.float32)).states.sum() == 0
    )
