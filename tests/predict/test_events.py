"""From windows to events and to one line per recording."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audioclf.base.errors import ConfigError
from audioclf.dataset.sources import FileSource
from audioclf.predict.events import EventRule, EventTracker, find_events, no_events_note, rolled_up
from audioclf.predict.inputs import Recording
from audioclf.predict.lines import scores_for_events
from audioclf.predict.scoring import Outcome
from audioclf.predict.settings import read_thresholds


def events(scores: list[float], rule: EventRule, hop: float = 1.0) -> list[tuple[float, float]]:
    starts = hop * np.arange(len(scores))
    times = np.column_stack([starts, starts + 1.0])
    return [(e.start, e.end) for e in find_events(times, np.array(scores)[:, None], rule)]


def test_neighbors_above_the_threshold_are_one_event() -> None:
    assert events([0.1, 0.6, 0.5, 0.2, 0.9], EventRule()) == [(1, 3), (4, 5)]


def test_an_event_lasts_until_its_score_falls_below_the_lower_threshold() -> None:
    scores = [0.4, 0.8, 0.4, 0.2, 0.4]
    assert events(scores, EventRule(0.7, threshold_off=0.3)) == [(0, 3)]
    assert events(scores, EventRule(0.7)) == [(1, 2)]


def test_events_closer_than_the_gap_become_one() -> None:
    scores = [0.9, 0.1, 0.9, 0.1, 0.1, 0.9]
    assert events(scores, EventRule(merge_gap=1.0)) == [(0, 3), (5, 6)]
    assert events(scores, EventRule(merge_gap=2.0)) == [(0, 6)]


def test_a_gap_of_silence_between_sparse_windows_parts_events() -> None:
    assert events([0.9, 0.9], EventRule(), hop=3.0) == [(0, 1), (3, 4)]
    assert events([0.9, 0.9], EventRule(merge_gap=2.0), hop=3.0) == [(0, 4)]


def test_overlapping_windows_stand_for_the_part_that_is_nearest_to_their_centre() -> None:
    """The edges of an event are those of hops, not of windows; a recording is covered wholly."""
    assert events([0.1, 0.1, 0.9, 0.9, 0.1, 0.1], EventRule(), hop=0.5) == [(1.25, 2.25)]
    assert events([0.9, 0.1, 0.9], EventRule(), hop=0.5) == [(0, 0.75), (1.25, 2)]
    assert events([0.9] * 5, EventRule(), hop=0.5) == [(0, 3)]
    assert events([0.1, 0.9, 0.1, 0.1], EventRule(), hop=0.25) == [(0.625, 0.875)]


def test_a_shorter_last_window_is_cut_at_half_the_way_to_its_centre() -> None:
    times = np.array([[0, 2], [1, 3], [2, 3.5]])
    (event,) = find_events(times, np.array([[0.1], [0.1], [0.9]]), EventRule())
    assert (event.start, event.end) == (2.375, 3.5)


@given(arrays(float, st.integers(1, 20), elements=st.floats(0, 1)), st.sampled_from([0.3, 1.0]))
def test_events_of_two_classes_do_not_overlap_above_one_half(p: np.ndarray, hop: float) -> None:
    starts = hop * np.arange(len(p))
    times = np.column_stack([starts, starts + 1.0])
    found = find_events(times, np.column_stack([p, 1 - p]), EventRule(0.500001))
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(found))


def test_no_events_have_a_reason_and_a_threshold_to_try() -> None:
    low = no_events_note(0.7512, 3, EventRule(0.8))
    assert low == (
        "no events: no window reaches --threshold 0.8, the highest score is 0.751; try "
        "--threshold 0.676"
    )
    assert "try --threshold 0.333" in no_events_note(0.34, 3, EventRule())
    assert "shorter than --min-duration 9" in no_events_note(0.9, 3, EventRule(min_duration=9.0))
    assert no_events_note(float("-inf"), 3, EventRule()) == "no events: no window has a class"


def test_short_events_are_dropped_after_merging() -> None:
    scores = [0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9]
    assert events(scores, EventRule(merge_gap=1.0, min_duration=2.0)) == [(0, 3)]


def test_a_merged_event_has_greatest_and_mean_score_of_its_windows() -> None:
    times = np.array([[0, 1], [1, 2], [2, 3]], dtype=float)
    scores = np.array([[0.6], [0.1], [0.8]])
    (event,) = find_events(times, scores, EventRule(merge_gap=1.0))
    assert (event.score, event.n_windows) == (0.8, 2)
    assert event.mean_score == pytest.approx(0.7)


def test_classes_are_judged_apart_and_sorted_by_start() -> None:
    times = np.array([[0, 1], [1, 2]], dtype=float)
    found = find_events(times, np.array([[0.1, 0.45], [0.45, 0.45]]), EventRule(0.4))
    assert [(event.code, event.start, event.end) for event in found] == [(1, 0, 2), (0, 1, 2)]


def test_a_tie_or_an_abstention_names_no_class_in_events() -> None:
    outcome = Outcome(
        Recording("a.wav", FileSource(Path("a.wav"))),
        codes=np.array([0, 1, -1, 2]),
        scores=np.array([[0.5, 0.5, 0.0], [0.3, 0.4, 0.3], [0.9, 0.1, 0.0], [1 / 3] * 3]),
    )
    named = np.isfinite(scores_for_events(outcome)).all(axis=1)
    assert named.tolist() == [False, True, False, False]


def test_no_windows_have_no_events() -> None:
    assert find_events(np.empty((0, 2)), np.empty((0, 3)), EventRule()) == []


@given(arrays(float, st.integers(0, 40), elements=st.floats(0, 1)), st.floats(0, 1))
def test_every_window_above_the_threshold_is_in_an_event(scores: np.ndarray, on: float) -> None:
    found = events(list(scores), EventRule(on, threshold_off=on / 2))
    for index in np.flatnonzero(scores >= on):
        assert any(start <= index and index + 1 <= end for start, end in found)
    assert all(a[1] < b[0] for a, b in pairwise(found))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"threshold": 1.5}, "thresholds of 1.5 and 1.5"),
        ({"threshold": 0.3, "threshold_off": 0.6}, "0 <= off <= threshold <= 1"),
        ({"threshold": float("nan")}, "thresholds of nan"),
        ({"merge_gap": -1.0}, "a merge gap of -1 s: 0 or more is expected"),
        ({"min_duration": float("inf")}, "a min duration of inf s"),
    ],
)
def test_impossible_rules_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EventRule(**values)


def test_a_rollup_is_the_mean_or_the_share_of_windows() -> None:
    scores, codes = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]]), np.array([0, 1, -1])
    assert rolled_up(scores, codes, "mean") == pytest.approx([0.6, 0.4])
    assert rolled_up(scores, codes, "share") == pytest.approx([1 / 3, 1 / 3])


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 30), st.integers(1, 3)),
        elements=st.sampled_from([0.1, 0.3, 0.5, 0.9, np.nan]),
    ),
    st.sampled_from([0.25, 0.5, 1.0, 1.5]),
    st.sampled_from([0.0, 0.4, 1.0]),
    st.sampled_from([0.0, 1.2]),
)
def test_a_tracker_gives_the_same_events_while_windows_arrive(
    scores: np.ndarray, hop: float, merge_gap: float, min_duration: float
) -> None:
    rule = EventRule(0.5, 0.3, merge_gap, min_duration)
    starts = hop * np.arange(len(scores))
    times = np.column_stack([starts, starts + 1.0])
    tracker = EventTracker(rule)
    tracked = [e for (s, t), row in zip(times, scores, strict=True) for e in tracker.add(s, t, row)]
    tracked += tracker.finish()
    found = find_events(times, scores, rule)
    assert [e[:4] + e[5:] for e in sorted(tracked, key=lambda e: (e.start, e.code))] == [
        e[:4] + e[5:] for e in found
    ]
    by_start = sorted(tracked, key=lambda e: (e.start, e.code))
    assert np.allclose([e.mean_score for e in by_start], [e.mean_score for e in found])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a=0.4", "0.5", "a=0.6"], "--threshold a=0.6: class 'a' has the threshold 0.4 already"),
        (["0.5", "0.5"], "--threshold 0.5: all classes have the threshold 0.5 already"),
    ],
)
def test_a_threshold_that_is_given_twice_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_thresholds(texts)
    assert caught.value.message == message


def test_each_class_has_a_threshold_of_its_own() -> None:
    times = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    scores = np.array([[0.3, 0.3], [0.2, 0.6], [0.1, 0.4]])
    rule = EventRule(0.5, threshold_off=0.4)
    events = find_events(times, scores, rule, thresholds=(0.25, 0.5))
    assert [(event.start, event.end, event.code) for event in events] == [
        (0.0, 1.0, 0),
        (1.0, 3.0, 1),
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (EventRule(), ["fox", "noise"]),
        (EventRule(skip=("noise",)), ["fox"]),
        (EventRule(only=("background", "fox"), skip=("fox",)), ["background"]),
    ],
)
def test_the_background_makes_no_events_unless_it_is_named(
    rule: EventRule, expected: list[str]
) -> None:
    classes = ("background", "fox", "no call", "noise", "Silence")
    wanted = rule.makes_events(classes)
    assert [name for name, each in zip(classes, wanted, strict=True) if each] == expected
    with pytest.raises(ConfigError, match="no class 'owl'"):
        EventRule(only=("owl",)).makes_events(classes)
