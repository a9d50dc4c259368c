"""From windows to events and to one line per recording."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audioclf.base.errors import ConfigError
from audioclf.predict.events import EventRule, find_events, rolled_up


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


def test_windows_that_touch_make_one_event_whatever_lies_over_them() -> None:
    assert events([0.9, 0.1, 0.9], EventRule(), hop=0.5) == [(0, 2)]


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


def test_a_window_without_scores_ends_an_event() -> None:
    assert events([0.9, float("nan"), 0.9], EventRule()) == [(0, 1), (2, 3)]


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
def test_impossible_rules_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EventRule(**values)


def test_a_rollup_is_the_mean_or_the_share_of_windows() -> None:
    scores, codes = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]]), np.array([0, 1, -1])
    assert rolled_up(scores, codes, "mean") == pytest.approx([0.6, 0.4])
    assert rolled_up(scores, codes, "share") == pytest.approx([1 / 3, 1 / 3])
