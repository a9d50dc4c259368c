"""Calibrated scores are probabilities: shares that sum to 1, the same wherever they are read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import audioclf
from audioclf.base.errors import ModelError
from audioclf.models.bundle.reading import open_bundle
from audioclf.models.calibration.maps import calibrated, fit_calibration, top_of
from audioclf.models.calibration.records import (
    Abstention,
    Calibration,
    Curve,
    Isotonic,
    Method,
    Sigmoid,
    Temperature,
)
from tests.conftest import tone
from tests.models.making import classifier, fitted, forged, made, written

METHODS: tuple[Method, ...] = ("sigmoid", "isotonic", "temperature")

SHARE = {"value": 0.5, "low": 0.4, "high": 0.6}
ABSTENTION = {
    "clips": 9,
    "units": 9,
    "unit": "clip",
    "abstained": SHARE,
    "accuracy": SHARE,
    "accuracy_of_rest": None,
    "errors_avoided": None,
}


def sure_scores(n_classes: int, n_rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return scores that are right less often than they say, and the true codes."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n_rows, n_classes))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = np.array([rng.choice(n_classes, p=row) for row in shares])
    surer = np.exp(3 * logits)
    return surer / surer.sum(axis=1, keepdims=True), y


def log_loss(scores: np.ndarray, y: np.ndarray) -> float:
    chosen = np.clip(scores[np.arange(len(y)), y], 1e-15, 1)
    return float(-np.log(chosen).mean())


def of_model(mapping: Temperature | Sigmoid | Isotonic) -> Calibration:
    return Calibration(mapping=mapping, clips=40, units=40, unit="clip", effect={})


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("method", METHODS)
def test_scores_that_are_too_sure_are_mended(method: Method, n_classes: int) -> None:
    scores, y = sure_scores(n_classes)
    found = calibrated(fit_calibration(method, scores, y, np.ones(len(y))), scores)
    assert log_loss(found, y) < log_loss(scores, y) - 0.1
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert found.min() >= 0
    certain, codes = np.tile(np.eye(n_classes), (40, 1)), np.tile(np.arange(n_classes), 40)
    mapping = fit_calibration(method, certain, codes, np.ones(len(codes)))
    assert np.isfinite(calibrated(mapping, certain)).all()


def test_the_temperature_is_the_one_that_made_the_scores() -> None:
    scores, y = sure_scores(4, n_rows=5000)
    mapping = fit_calibration("temperature", scores, y, np.ones(len(y)))
    assert isinstance(mapping, Temperature)
    assert mapping.temperature == pytest.approx(3.0, rel=0.1)


@pytest.mark.parametrize("temperature", [0.01, 0.3, 1.0, 7.0, 100.0])
def test_a_temperature_keeps_the_order_of_the_classes(temperature: float) -> None:
    scores, _ = sure_scores(5)
    found = calibrated(Temperature(temperature=temperature), scores)
    rows = np.arange(len(scores))[:, None]
    ordered = found[rows, scores.argsort(axis=1)]
    assert (np.diff(ordered, axis=1) >= 0).all()
    np.testing.assert_array_equal(top_of(found, scores), scores.argmax(axis=1))


def test_a_sigmoid_leaves_good_scores_nearly_alone() -> None:
    rng = np.random.default_rng(3)
    p = rng.uniform(0.05, 0.95, 5000)
    scores, y = np.column_stack([1 - p, p]), (rng.uniform(size=5000) < p).astype(int)
    found = calibrated(fit_calibration("sigmoid", scores, y, np.ones(len(y))), scores)
    assert np.abs(found - scores).max() < 0.05


def test_scores_worse_than_chance_do_not_turn_round() -> None:
    scores, y = sure_scores(2)
    mapping = fit_calibration("sigmoid", scores[:, ::-1], y, np.ones(len(y)))
    assert isinstance(mapping, Sigmoid)
    assert mapping.slopes == (0.0,)


def test_isotonic_is_that_of_scikit_learn() -> None:
    from sklearn.isotonic import IsotonicRegression

    scores, y = sure_scores(2)
    found = calibrated(fit_calibration("isotonic", scores, y, np.ones(len(y))), scores)
    expected = IsotonicRegression(out_of_bounds="clip").fit(scores[:, 1], y).predict(scores[:, 1])
    np.testing.assert_allclose(found[:, 1], expected, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_row_of_weight_two_is_as_good_as_two_rows(method: Method) -> None:
    scores, y = sure_scores(3, n_rows=60)
    twice = fit_calibration(method, np.repeat(scores, 2, axis=0), np.repeat(y, 2), np.ones(120))
    once = fit_calibration(method, scores, y, np.full(60, 2.0))
    probe, _ = sure_scores(3, seed=9)
    np.testing.assert_allclose(calibrated(twice, probe), calibrated(once, probe), atol=1e-3)


def test_curves_that_meet_at_zero_give_equal_shares() -> None:
    flat = Curve(scores=(0.5,), shares=(0.0,))
    found = calibrated(Isotonic(curves=(flat, flat, flat)), np.array([[0.2, 0.3, 0.5]]))
    np.testing.assert_array_equal(found, np.full((1, 3), 1 / 3))
    assert top_of(found, np.array([[0.2, 0.5, 0.3]])) == [1]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("method", METHODS)
def test_a_calibration_comes_back_bit_for_bit(
    method: Method, n_classes: int, tmp_path: Path
) -> None:
    scores, y = sure_scores(n_classes)
    mapping = fit_calibration(method, scores, y, np.ones(len(y)))
    found = fitted(classifier("logistic_regression"), n_classes)
    path = written(tmp_path / "m.audioclf", found, calibration=of_model(mapping))
    model = audioclf.load(path)
    assert model.manifest.calibration is not None
    assert model.manifest.calibration.mapping == mapping
    raw = found.estimator.predict_proba(found.X).astype(np.float64)
    np.testing.assert_array_equal(model.scores_of(found.X), calibrated(mapping, raw))
    expected = top_of(calibrated(mapping, raw), raw)
    np.testing.assert_array_equal(model.codes_of(found.X), expected)
    codes, outputs = model.outputs_of(found.X)
    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_array_equal(outputs, model.scores_of(found.X))
    assert model.score_name == "probability"


def test_decision_values_become_probabilities(tmp_path: Path) -> None:
    found = fitted(classifier("svm"))
    calibration = of_model(Sigmoid(slopes=(2.0,), intercepts=(0.1,)))
    y = tone(300.0, 0.5, 8000, 0)
    model = audioclf.load(written(tmp_path / "m.audioclf", found, calibration=calibration))
    assert model.predict_proba(y, sr=8000).sum() == pytest.approx(1.0)
    decision = found.estimator.decision_function(found.X)
    expected = 1 / (1 + np.exp(-(2.0 * decision + 0.1)))
    np.testing.assert_allclose(model.scores_of(found.X)[:, 1], expected)


def test_a_model_abstains_below_its_score(tmp_path: Path) -> None:
    found = fitted(classifier("logistic_regression"))
    path = written(tmp_path / "m.audioclf", found, abstain_below=0.9)
    model = audioclf.load(path)
    assert model.score_name == "score"
    top = found.estimator.predict_proba(found.X).max(axis=1)
    np.testing.assert_array_equal(model.decide(found.X)[0] == -1, top < 0.9)
    assert 0 < (top < 0.9).sum() < len(top)
    sounds = [tone(300.0, 0.5, 8000, seed) for seed in range(3)]
    expected = [None if score.max() < 0.9 else "x" for score in model.scores(sounds, sr=8000)]
    said = model.predict(sounds, sr=8000)
    assert [label and "x" for label in said] == expected


def test_what_abstaining_costs_is_kept(tmp_path: Path) -> None:
    cost = Abstention.model_validate(ABSTENTION)
    found = fitted(classifier("dummy"))
    path = written(tmp_path / "m.audioclf", found, abstain_below=0.9, abstention=cost)
    assert open_bundle(path).manifest.abstention == cost


def curve(scores: list[Any], shares: list[Any]) -> dict[str, Any]:
    return {"method": "isotonic", "curves": [{"scores": scores, "shares": shares}]}


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        (curve([0.1, 0.5], [0.9, 0.2]), "the curve falls"),
        (curve([0.5, 0.5], [0.1, 0.2]), "the scores of a curve do not rise"),
        (curve([0.1, 0.5], [0.2]), "2 scores for 1 shares"),
        (curve([], []), "at least 1 item"),
        (curve([0.1], [1.5]), "less than or equal to 1"),
        (curve([0.1], [float("nan")]), "finite number"),
        (curve([float("nan")], [0.5]), "finite number"),
        ({"method": "temperature", "temperature": 0.0}, "greater than or equal to 0.01"),
        ({"method": "temperature", "temperature": float("nan")}, "finite number"),
        ({"method": "temperature", "temperature": float("inf")}, "finite number"),
        ({"method": "temperature", "temperature": "2"}, "valid number"),
        ({"method": "sigmoid", "slopes": [-1.0], "intercepts": [0.0]}, "greater than or equal"),
        ({"method": "sigmoid", "slopes": [1.0], "intercepts": [float("nan")]}, "finite number"),
        ({"method": "sigmoid", "slopes": [1.0, 1.0], "intercepts": [0.0]}, "2 and 1 curves for 2"),
        ({"method": "sigmoid", "slopes": [], "intercepts": []}, "0 and 0 curves for 2 classes"),
        ({"method": "isotonic", "curves": []}, "a calibration of 0 curves for 2 classes"),
        ({"method": "magic"}, "does not match any of the expected tags"),
        ({"temperature": 2.0}, "Unable to extract tag"),
    ],
)
def test_a_forged_calibration_is_refused(
    mapping: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    whole = {"mapping": mapping, "clips": 9, "units": 9, "unit": "clip", "effect": {}}
    with pytest.raises(ModelError) as caught:
        open_bundle(forged(path, edit=lambda m: m.update(calibration=whole)))
    assert "refused by the manifest check: manifest.json is not valid at" in caught.value.message
    assert expected in caught.value.message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"abstain_below": 0.5, "format": 1}, "format 1 has neither calibration nor abstain"),
        ({"abstain_below": 0.5, "scores": "none"}, "without scores"),
        ({"abstain_below": 0.0}, "greater than 0"),
        ({"abstain_below": float("nan")}, "finite number"),
        ({"abstention": ABSTENTION}, "abstention without abstain_below"),
    ],
)
def test_an_impossible_threshold_is_refused(
    changes: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    with pytest.raises(ModelError, match=expected):
        open_bundle(forged(path, edit=lambda m: m.update(changes)))


def test_a_model_of_the_first_format_is_still_read(tmp_path: Path) -> None:
    def as_it_was(manifest: dict[str, Any]) -> None:
        manifest.update(format=1)
        del manifest["abstention"]

    path = forged(made(tmp_path / "m.audioclf", "dummy"), edit=as_it_was)
    assert audioclf.load(path).predict(np.zeros(4000), sr=8000) == "barbie"
