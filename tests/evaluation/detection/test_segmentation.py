"""Accuracy over time and boundaries: arithmetic by hand, intervals, overlaps."""

import numpy as np
import pytest

from audioclf.base.errors import ConfigError
from audioclf.evaluation.detection.segmentation import segmentation_scores
from tests.evaluation.detection.surveys import survey_of

TRUTH = [(0, 0, 0.0, 10.0), (0, 1, 10.0, 20.0), (0, 0, 20.0, 30.0), (0, 2, 50.0, 60.0)]


def test_shares_of_time_and_boundaries_by_hand() -> None:
    """In 40 s with an annotation, 31 are right, 2 have no label, and 7 another one."""
    found = [(0, 0, 0.0, 12.0), (0, 1, 12.0, 20.1), (0, 0, 20.1, 40.0)]
    found += [(0, 1, 40.0, 54.9), (0, 2, 54.9, 58.0)]
    scores = segmentation_scores(survey_of(TRUTH, found), 0.2)
    assert scores.seconds.tolist() == [20.0, 10.0, 10.0, 40.0]
    assert scores.unannotated == pytest.approx(20.0)
    precision, recall, _ = scores.times[0]
    assert precision.value == pytest.approx(19.9 / 21.9)
    assert recall.value == pytest.approx(19.9 / 20)
    assert scores.accuracy.value == pytest.approx((19.9 + 8.0 + 3.1) / 40)
    # 12 is 2 s late, 20.1 within the tolerance, 40 not annotated, 54.9 a false alarm.
    assert (scores.n_true, scores.n_detected, scores.n_found) == (2, 3, 1)
    assert scores.boundaries[0].value == pytest.approx(1 / 3)
    assert segmentation_scores(survey_of(TRUTH, found), 2.0).n_found == 2


def test_time_without_a_label_may_be_background() -> None:
    """Of 60 s, 10 are a call and 12 are detected; both of its edges are boundaries."""
    survey = survey_of([(0, 0, 10.0, 20.0)], [(0, 0, 10.1, 22.1)])
    scores = segmentation_scores(survey, 0.2, background="none")
    assert scores.classes == ("a", "none")
    assert scores.seconds.tolist() == [10.0, 50.0, 60.0]
    assert scores.accuracy.value == pytest.approx((60 - 2.2) / 60)
    assert (scores.n_true, scores.n_detected, scores.n_found) == (2, 2, 1)
    assert scores.unannotated == 0.0


def test_each_boundary_is_found_once() -> None:
    truth = [(0, 0, 0.0, 10.0), (0, 1, 10.0, 20.0)]
    found = [(0, 0, 0.0, 9.9), (0, 1, 9.9, 10.0), (0, 0, 10.0, 10.1), (0, 1, 10.1, 20.0)]
    scores = segmentation_scores(survey_of(truth, found), 0.2)
    assert (scores.n_true, scores.n_detected, scores.n_found) == (1, 3, 1)


def test_rows_of_one_label_that_touch_have_no_boundary() -> None:
    truth = [(0, 0, 0.0, 5.0), (0, 0, 5.0, 20.0)]
    scores = segmentation_scores(survey_of(truth, [(0, 0, 0.0, 20.0)]), 0.2)
    assert scores.accuracy.value == 1.0
    assert (scores.n_true, scores.n_detected) == (0, 0)
    assert np.isnan(scores.boundaries[2].value)


def test_intervals_are_over_recordings() -> None:
    """Ten equal recordings leave nothing to chance, whatever is wrong within each."""
    truth = [(code, *row[1:]) for code in range(10) for row in TRUTH]
    found = [(code, 0, 0.0, 60.0) for code in range(10)]
    scores = segmentation_scores(survey_of(truth, found), 0.2)
    assert scores.accuracy.low == pytest.approx(0.5)
    assert scores.accuracy.high == pytest.approx(0.5)


@pytest.mark.parametrize("side", ["annotated", "detected"])
def test_two_labels_at_a_time_are_refused(side: str) -> None:
    tables = [TRUTH, [(0, 0, 0.0, 60.0), (0, 1, 7.5, 8.0)]]
    survey = survey_of(*(tables if side == "detected" else tables[::-1]))
    with pytest.raises(ConfigError, match=f"r0.wav: two {side} labels at 7.5 s"):
        segmentation_scores(survey, 0.2)
