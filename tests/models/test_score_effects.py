"""What calibration and abstaining do is measured on clips that had no part in them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.config.loading import load_config
from audioclf.config.run_config import RunConfig
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.results import FoldResult, Pipeline
from audioclf.evaluation.splits import Fold
from audioclf.experiment.final_model import fit_on_all, write_final
from audioclf.features.extraction import extract
from audioclf.models.bundle.reading import open_bundle
from audioclf.models.calibration.effects import (
    N_BLOCKS,
    Scored,
    ScoreEffects,
    abstention,
    effects_of,
    nested,
)
from audioclf.models.calibration.maps import calibrated, fit_calibration
from audioclf.models.calibration.records import Temperature
from audioclf.runs.folder import RunFolder
from audioclf.runs.results import summarise
from tests.models.making import registry
from tests.models.test_calibration import sure_scores
from tests.targets import targets_of

NAMES = ("a", "b", "c", "d")


def scored(
    scores: Any, y: Any, units: Any = None, *, repeats: int = 1, predicted: Any = None
) -> Scored:
    """Return the predictions of clips that each repeat tests once, in one fold."""
    scores, y = np.asarray(scores, dtype=float), np.asarray(y)
    codes = scores.argmax(axis=1) if predicted is None else np.asarray(predicted)
    everything, nothing = np.arange(len(y)), np.arange(0)
    folds = tuple(
        FoldResult(Fold(r, "0", nothing, everything), codes, scores, "probability", 0.0, 0.0)
        for r in range(repeats)
    )
    return Scored(folds, targets_of(y, units, n_classes=scores.shape[1]))


def effects(rows: Scored, **asked: Any) -> ScoreEffects:
    asked = {"calibrate": None, "abstain_below": None, "seed": 0, **asked}
    targets = replace(rows.targets, classes=NAMES[: rows.targets.n_classes])
    return effects_of(replace(rows, targets=targets), **asked)


def test_the_cost_of_abstaining_is_counted_by_hand() -> None:
    # Five clips: three right (0.9, 0.8, 0.55), two wrong (0.95, 0.6).
    p = [0.1, 0.8, 0.55, 0.95, 0.4]
    scores = [[1 - each, each] for each in p]
    rows = scored(scores, [0, 1, 1, 0, 1])
    found = abstention(rows, 0.7, seed=0)
    assert found.abstained.value == pytest.approx(2 / 5)
    assert found.accuracy.value == pytest.approx(3 / 5)
    assert found.accuracy_of_rest is not None
    assert found.accuracy_of_rest.value == pytest.approx(2 / 3)
    assert found.errors_avoided is not None
    assert found.errors_avoided.value == pytest.approx(1 / 2)
    assert (found.clips, found.units) == (5, 5)
    for each in (found.abstained, found.accuracy, found.accuracy_of_rest, found.errors_avoided):
        assert each.low <= each.value <= each.high


@pytest.mark.parametrize(
    ("scores", "predicted", "below", "withheld"),
    [
        ([[0.3, 0.7]], None, 0.7, 0),  # a score at the limit keeps its class
        ([[0.5, 0.5], [0.2, 0.8]], None, 0.3, 0.5),  # a tie for the highest score
        ([[0.45, 0.55]] * 2, [0, 1], 0.5, 0.5),  # the votes of an SVM may contradict its scores
    ],
)
def test_a_class_is_withheld_by_its_own_score(
    scores: Any, predicted: Any, below: float, withheld: float
) -> None:
    rows = scored(scores, [1] * len(scores), predicted=predicted)
    assert abstention(rows, below, seed=0).abstained.value == pytest.approx(withheld)


def test_where_all_is_withheld_there_is_no_rest() -> None:
    found = abstention(scored([[0.4, 0.6]] * 4, [1] * 4), 0.9, seed=0)
    assert found.abstained.value == 1
    assert found.accuracy_of_rest is None
    assert found.errors_avoided is None


def test_repeats_do_not_count_as_more_clips() -> None:
    scores, y = sure_scores(2, n_rows=60)
    once, thrice = (
        effects(scored(scores, y, repeats=n), calibrate="temperature", abstain_below=0.7)
        for n in (1, 3)
    )
    assert once.calibration is not None
    assert thrice.calibration is not None
    assert (thrice.calibration.clips, thrice.calibration.units) == (60, 60)
    expected = calibrated(once.calibration.mapping, scores)
    np.testing.assert_allclose(calibrated(thrice.calibration.mapping, scores), expected)
    assert once.abstention is not None
    assert thrice.abstention is not None
    assert thrice.abstention.abstained.low == pytest.approx(once.abstention.abstained.low)


def test_a_group_is_never_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, y = sure_scores(3, n_rows=90)
    units = np.arange(90) % 7
    seen = []

    def spy(method: Any, fitted_on: np.ndarray, *rest: Any) -> Any:
        seen.append({tuple(row) for row in fitted_on})
        return fit_calibration(method, fitted_on, *rest)

    monkeypatch.setattr("audioclf.models.calibration.effects.fit_calibration", spy)
    nested("temperature", scored(scores, y, units=units), seed=0)
    assert len(seen) == N_BLOCKS
    for inside in seen:
        for group in range(7):
            of_group = {tuple(row) for row in scores[units == group]}
            assert of_group <= inside or not of_group & inside
    left_out = [sum(tuple(row) not in inside for inside in seen) for row in scores]
    assert set(left_out) == {1}


def test_scores_that_are_too_sure_are_measured_to_get_better() -> None:
    scores, y = sure_scores(4)
    found = effects(scored(scores, y), calibrate="temperature")
    assert found.notes == ()
    assert found.calibration is not None
    effect = found.calibration.effect
    assert set(effect) == {"log_loss", "brier_score", "expected_calibration_error", "accuracy"}
    assert effect["log_loss"].high < 0
    assert effect["expected_calibration_error"].after < effect["expected_calibration_error"].before
    assert effect["accuracy"].before == effect["accuracy"].after


def test_a_calibration_that_does_not_help_says_so() -> None:
    rng = np.random.default_rng(3)
    p = rng.uniform(size=60)
    y = (rng.uniform(size=60) < p).astype(int)
    found = effects(scored(np.column_stack([1 - p, p]), y), calibrate="sigmoid")
    assert [note for note in found.notes if note.endswith("calibration did not help")]


def test_few_clips_are_a_note() -> None:
    scores, y = sure_scores(2, n_rows=49)
    found = effects(scored(scores, y), calibrate="temperature")
    assert found.calibration is not None
    assert "was calibrated on 49 clips, fewer than 50" in found.notes[0]


def test_isotonic_is_refused_on_few_clips() -> None:
    scores, y = sure_scores(2, n_rows=199)
    found = effects(scored(scores, y), calibrate="isotonic", abstain_below=0.6)
    assert found.calibration is None
    assert found.abstention is not None
    (note,) = found.notes
    assert note == (
        "was not calibrated: isotonic needs 200 tested clips, and there are 199; use sigmoid or "
        "temperature; abstain_below 0.6 applies to its uncalibrated scores"
    )


def test_a_class_that_was_never_tested_cannot_have_a_curve() -> None:
    scores, y = sure_scores(3, n_rows=100)
    y[y == 1] = 2
    found = effects(scored(scores, y), calibrate="sigmoid")
    assert found.calibration is None
    assert "no clip of 'b' was tested, which sigmoid needs" in found.notes[0]


def test_one_unit_leaves_nothing_to_measure_on() -> None:
    scores, y = sure_scores(2, n_rows=60)
    found = effects(scored(scores, y, units=np.zeros(60, int)), calibrate="temperature")
    assert found.calibration is not None
    assert found.calibration.effect == {}
    assert "too few units to measure" in found.notes[0]


def test_without_scores_there_is_neither() -> None:
    fold = FoldResult(
        Fold(0, "0", np.arange(0), np.arange(3)), np.zeros(3, int), None, "none", 0.0, 0.0
    )
    rows = Scored((fold,), targets_of([0, 1, 0]))
    found = effects(rows, calibrate="sigmoid", abstain_below=0.5)
    assert (found.calibration, found.abstention) == (None, None)
    assert found.notes == (
        "was not calibrated: the classifier gives no scores",
        "does not abstain: the classifier gives no scores",
    )


def final_of(path: Path, config: RunConfig) -> tuple[str, ...]:
    """Do what a run does for its last step."""
    extraction = extract(config.dataset.load(), config.audio, config.featurizers)
    pipeline = Pipeline("logreg", "mel", "logreg", config.classifiers["logreg"], "audioclf")
    splits = config.split.folds(extraction.dataset, config.seed)
    targets = extraction.dataset.targets
    results = evaluate([pipeline], extraction.matrices, targets, splits, seed=1)
    folder = RunFolder.create(path)
    result = summarise(config, folder, extraction, splits, results)
    fitted = fit_on_all(config, results[0], extraction, in_batches=False, fit_on=evaluate)
    return write_final(folder, result, fitted, extraction, registry())[1]


def test_a_run_keeps_what_its_config_asks_for(toy_config: Path, tmp_path: Path) -> None:
    overrides = ["calibrate=temperature", "abstain_below=0.8"]
    config = load_config(toy_config, overrides=overrides)
    notes = final_of(tmp_path / "run", config)
    assert any("the model of logreg was calibrated on 16 clips" in note for note in notes)
    contents = open_bundle(tmp_path / "run" / "model.audioclf")
    manifest = contents.manifest
    assert manifest.calibration is not None
    assert (manifest.calibration.method, manifest.calibration.clips) == ("temperature", 16)
    assert manifest.abstain_below == 0.8
    assert manifest.abstention is not None
    assert "calibrated (temperature) on the out-of-fold scores of 16 clips" in contents.card
    assert "The model gives no class if the probability is below 0.8, or" in contents.card
    assert "| log\\_loss | " in contents.card


@pytest.mark.parametrize("n_errors", [0, 1])
def test_a_temperature_from_too_few_errors_makes_no_score_more_extreme(n_errors: int) -> None:
    y = np.arange(120) % 2
    scores = np.where(np.arange(2) == y[:, None], 0.9, 0.1)
    scores[:n_errors] = 0.49
    scores[:n_errors, 1 - y[:n_errors]] = 0.51
    found = effects(scored(scores, y), calibrate="temperature")
    assert found.calibration is not None
    assert isinstance(found.calibration.mapping, Temperature)
    assert found.calibration.mapping.temperature >= 0.99
    assert "made fewer than 2 errors on 120 tested clips" in found.notes[0]
