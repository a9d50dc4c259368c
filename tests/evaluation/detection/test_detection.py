"""Metrics of detections: arithmetic by hand, plain references, undefined cases."""

import itertools
import math

import numpy as np
import pytest

from audioclf.base.errors import ConfigError
from audioclf.evaluation.detection.average_precision import average_precisions, curve
from audioclf.evaluation.detection.event_based import event_scores
from audioclf.evaluation.detection.events import Survey
from audioclf.evaluation.detection.matching import Collars, match
from audioclf.evaluation.detection.psds import DCASE_1, DCASE_2, psds
from audioclf.evaluation.detection.scores import score_survey
from audioclf.evaluation.detection.segment_based import segment_scores
from audioclf.evaluation.detection.thresholds import Aim, choose_thresholds
from tests.evaluation.detection.surveys import random_survey, survey_of

EVENTS = [(0, 0, 1.0, 2.0), (0, 0, 5.0, 7.0), (1, 0, 3.0, 3.3)]


@pytest.mark.parametrize(
    ("shift", "found"),
    [
        (0.0, 3),
        (0.1, 3),
        (0.2, 3),  # a collar is closed
        (0.3, 0),
    ],
)
def test_a_shift_beyond_the_collar_loses_every_event(shift: float, found: int) -> None:
    survey = survey_of(EVENTS, [(r, c, a + shift, b + shift) for r, c, a, b in EVENTS])
    scores = event_scores(survey, match(survey.truth, survey.detections))[-1]
    assert (scores.n_found, scores.n_missed, scores.n_false) == (found, 3 - found, 3 - found)
    assert scores.f1.value == pytest.approx(found / 3)


@pytest.mark.parametrize(
    ("end", "collars", "hit"),
    [
        (6.1, Collars(), True),  # half of 2 s is more than 0.2 s
        (5.9, Collars(), False),
        (5.9, Collars(offset=None), True),
        (6.1, Collars(offset_share=0.2), False),
        (6.6, Collars(offset_share=0.0, offset=0.5), True),
    ],
)
def test_offset_collar(end: float, collars: Collars, hit: bool) -> None:
    survey = survey_of([(0, 0, 5.0, 7.0)], [(0, 0, 5.0, end)])
    assert match(survey.truth, survey.detections, collars).hits.tolist() == [hit]


@pytest.mark.parametrize("name", ["onset", "offset", "offset_share"])
def test_a_negative_collar_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="0 or more"):
        Collars(**{name: -0.1})


def test_the_matching_is_maximum_at_every_threshold() -> None:
    for seed in range(40):
        survey = random_survey(seed, n_recordings=1, n_classes=1)
        collars = Collars(onset=3.0, offset=None)
        matching = match(survey.truth, survey.detections, collars)
        for threshold in np.unique(survey.detections.scores):
            kept = survey.detections.scores >= threshold
            near = np.abs(survey.truth.starts[:, None] - survey.detections.starts[kept]) <= 3.0
            assert matching.hits[kept].sum() == largest_matching(near)
        partners = matching.event_of[matching.hits]
        assert len(set(partners.tolist())) == len(partners)


def largest_matching(near: np.ndarray) -> int:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(near.astype(float), maximize=True)
    return int(near[rows, columns].sum())


def test_one_detection_over_two_events_finds_one() -> None:
    survey = survey_of([(0, 0, 1.0, 2.0), (0, 0, 1.1, 2.1)], [(0, 0, 1.05, 2.05)])
    scores = event_scores(survey, match(survey.truth, survey.detections))[-1]
    assert (scores.n_found, scores.n_missed, scores.n_false) == (1, 1, 0)


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        ([], [(0, 0, 1.0, 2.0)], (0.0, math.nan, 0.0)),
        ([(0, 0, 1.0, 2.0)], [], (math.nan, 0.0, 0.0)),
    ],
)
@pytest.mark.parametrize("kind", ["event", "segment"])
def test_undefined_metrics_are_nan_and_f1_counts_misses(
    truth: list[tuple[int, int, float, float]],
    found: list[tuple[int, int, float, float]],
    expected: tuple[float, float, float],
    kind: str,
) -> None:
    """sed_eval gives an F1 of NaN where there is no detection; a miss is an error all the same."""
    survey = survey_of(truth, found)
    matching = match(survey.truth, survey.detections)
    each = event_scores(survey, matching)[0] if kind == "event" else segment_scores(survey)[0]
    assert (each.precision.value, each.recall.value, each.f1.value) == pytest.approx(
        expected, nan_ok=True
    )


def test_segments_by_hand() -> None:
    truth = [(0, 0, 0.0, 2.0), (0, 1, 1.0, 2.0)]  # segments 0, 1 of a; 1 of b
    found = [(0, 0, 1.5, 2.5), (0, 1, 0.2, 0.4)]  # segments 1, 2 of a; 0 of b
    first, _, both = segment_scores(survey_of(truth, found))
    assert (first.precision.value, first.recall.value) == (0.5, 0.5)
    assert first.error_rate.value == 1.0
    # Segment 0: b for a, a substitution; 1: b deleted; 2: a inserted.
    assert both.error_rate.value == pytest.approx(3 / 3)


def test_average_precision_by_hand() -> None:
    truth = [(0, 0, 1.0, 2.0), (0, 0, 5.0, 6.0)]
    found = [(0, 0, 1.0, 2.0, 0.9), (0, 0, 30.0, 31.0, 0.8), (0, 0, 5.0, 6.0, 0.7)]
    survey = survey_of(truth, found, seconds=3600.0)
    matching = match(survey.truth, survey.detections)
    assert average_precisions(survey, matching)[0].value == pytest.approx(0.5 + 0.5 * 2 / 3)
    points = curve(survey, matching)
    assert points.thresholds.tolist() == [0.9, 0.8, 0.7]
    assert points.recall.tolist() == [0.5, 0.5, 1.0]
    assert points.false_per_hour.tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("scenario", [DCASE_1, DCASE_2])
def test_psds_of_ideal_and_absent_detections(scenario: object) -> None:
    truth = [(r, c, a, b) for r, c, a, b in EVENTS] + [(1, 1, 9.0, 12.0)]
    ideal = survey_of(truth, [(*row, 0.5) for row in truth])
    assert psds(ideal, scenario).value == pytest.approx(1.0)  # type: ignore[arg-type]
    assert psds(survey_of(truth, []), scenario).value == 0.0  # type: ignore[arg-type]
    assert math.isnan(psds(survey_of([], [(0, 0, 1.0, 2.0, 0.5)]), scenario).value)  # type: ignore[arg-type]


def test_psds_of_one_class_by_hand() -> None:
    truth = [(0, 0, 0.0, 10.0), (0, 0, 20.0, 30.0)]
    found = [(0, 0, 0.0, 10.0, 0.9), (0, 0, 40.0, 41.0, 0.8), (0, 0, 20.0, 30.0, 0.7)]
    # One false alarm in 0.1 h is 10 per hour: half of the events below that rate, all above.
    value = psds(survey_of(truth, found, seconds=360.0), DCASE_1).value
    assert value == pytest.approx(0.1 * 0.5 + 0.9)


def test_false_alarms_per_hour_without_one_have_an_upper_end() -> None:
    survey = survey_of(EVENTS, EVENTS, seconds=1800.0)
    rate = event_scores(survey, match(survey.truth, survey.detections))[-1].false_per_hour
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(-math.log(0.025))


def test_intervals_are_over_recordings() -> None:
    """Copies of an event within its recording add no information; further recordings do."""
    truth = [(r, 0, 10.0 * k, 10.0 * k + 1) for r in range(12) for k in range(2)]
    found = [row for row in truth if row[0] % 2]
    single = survey_of(truth, found, seconds=600.0)
    copies = [(r, c, a + 20 * k, b + 20 * k) for r, c, a, b in truth for k in range(10)]
    many = survey_of(copies, [row for row in copies if row[0] % 2], seconds=600.0)
    recalls = [event_scores(s, match(s.truth, s.detections))[-1].recall for s in (single, many)]
    assert recalls[0].low == pytest.approx(recalls[1].low)
    assert recalls[0].low < recalls[0].value < recalls[0].high


def noisy(n_recordings: int, seed: int) -> Survey:
    rng = np.random.default_rng(seed)
    truth = [(r, 0, 10.0 * k, 10.0 * k + 1) for r in range(n_recordings) for k in range(20)]
    found = [(*row, float(rng.beta(4, 2))) for row in truth]
    for r in range(n_recordings):
        starts = 5.0 + 10.0 * rng.choice(300, size=40, replace=False)
        found += [(r, 0, a, a + 1.0, float(rng.beta(2, 4))) for a in starts]
    return survey_of(truth, found, seconds=3600.0)


@pytest.mark.parametrize("aim", [Aim("false_per_hour", 5.0), Aim("precision", 0.8)])
def test_a_threshold_is_tested_on_other_recordings(aim: Aim) -> None:
    survey = noisy(20, 0)
    matching = match(survey.truth, survey.detections)
    chosen = choose_thresholds(survey, matching, aim)[0]
    assert 0.2 < chosen.threshold < 0.9
    assert chosen.scores is not None
    assert chosen.scores.n_truth == 400
    assert not chosen.n_untested
    if aim.kind == "precision":
        assert chosen.scores.precision.value > 0.8
    else:
        assert chosen.scores.false_per_hour.value < 5.0


def test_no_threshold_is_promised_in_too_few_hours() -> None:
    survey = noisy(1, 0)
    matching = match(survey.truth, survey.detections)
    chosen = choose_thresholds(survey, matching, Aim("false_per_hour", 2.0))[0]
    assert math.isnan(chosen.threshold)


def test_notes_say_what_limits_the_numbers() -> None:
    survey = survey_of([(0, 0, 1.0, 2.0)], [(0, 1, 1.0, 2.0)])
    scores = score_survey(survey)
    text = " ".join(scores.notes)
    assert "no intervals" in text
    assert "without recall: b" in text
    assert "have no score" in text
    assert not scores.psds
    with pytest.raises(ConfigError, match="none"):
        score_survey(survey, aims=(Aim("precision", 0.9),))


def test_everything_together_on_random_surveys() -> None:
    for seed, few in itertools.product(range(3), (1, 9)):
        scores = score_survey(random_survey(seed, n_recordings=few))
        values = [row.events.f1.value for row in scores.by_class]
        assert all(0 <= value <= 1 for value in values if not math.isnan(value))
