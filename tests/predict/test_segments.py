"""From windows to one label at each instant."""

from itertools import groupby, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audioclf.base.errors import ConfigError
from audioclf.predict.segments import SegmentRule, find_segments

Rows = list[tuple[float, float, int]]


def segments(scores: np.ndarray, shortest: float = 0.0, hop: float = 1.0, end: float = 0) -> Rows:
    starts = hop * np.arange(len(scores))
    times = np.column_stack([starts, starts + 1.0])
    found = find_segments(times, scores, SegmentRule(shortest), end=end)
    return [(each.start, each.end, each.code) for each in found]


def of_first(scores: list[float]) -> np.ndarray:
    return np.column_stack([scores, 1 - np.array(scores)])


def best_mean(scores: np.ndarray, shortest: float, hop: float) -> float:
    """Return the highest sum of scores over time of all sequences that are allowed."""
    n = len(scores)
    edges = np.array([0.0, *(hop * np.arange(1, n) + (1 - hop) / 2), hop * (n - 1) + 1])
    totals = []
    for labels in product(range(scores.shape[1]), repeat=n):
        runs = [[at for at, _ in run] for _, run in groupby(enumerate(labels), lambda x: x[1])]
        lengths = [edges[run[-1] + 1] - edges[run[0]] for run in runs]
        if len(runs) == 1 or min(lengths) >= shortest - 1e-9:
            totals.append(float((scores[range(n), labels] * np.diff(edges)).sum()))
    return max(totals)


@settings(max_examples=50)
@given(
    arrays(float, st.tuples(st.integers(1, 5), st.just(3)), elements=st.floats(0, 1)),
    st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 9.0]),
    st.sampled_from([0.5, 1.0]),
)
def test_no_allowed_sequence_of_labels_has_a_higher_mean_score(
    scores: np.ndarray, shortest: float, hop: float
) -> None:
    found = segments(scores, shortest, hop)
    assert [start for start, _, _ in found[1:]] == [end for _, end, _ in found[:-1]]
    assert all(a[2] != b[2] for a, b in pairwise(found))
    assert len(found) == 1 or min(end - start for start, end, _ in found) >= shortest - 1e-9
    centres = hop * np.arange(len(scores)) + 0.5
    edges = np.array([found[0][0], *((centres[:-1] + centres[1:]) / 2), found[-1][1]])
    codes = [next(code for a, b, code in found if a <= at < b) for at in centres]
    total = float((scores[range(len(scores)), codes] * np.diff(edges)).sum())
    assert total == pytest.approx(best_mean(scores, shortest, hop))


def test_segments_meet_halfway_between_centres_and_cover_the_recording() -> None:
    scores = of_first([0.9, 0.9, 0.1, 0.2])
    assert segments(scores, hop=0.5, end=3.2) == [(0.0, 1.25, 0), (1.25, 3.2, 1)]
    assert segments(scores, hop=3.0, end=10.0) == [(0.0, 5.0, 0), (5.0, 10.0, 1)]


def test_a_short_error_is_smoothed_and_a_clear_change_keeps_its_time() -> None:
    noisy = of_first([0.9, 0.9, 0.4, 0.9, 0.9, 0.1, 0.6, 0.1, 0.1, 0.1])
    assert len(segments(noisy)) == 6
    assert segments(noisy, 2.0) == [(0.0, 5.0, 0), (5.0, 10.0, 1)]


def test_no_label_is_one_more_class() -> None:
    times = np.array([[0, 1], [1, 2], [2, 3]], dtype=float)
    scores = of_first([0.9, 0.55, 0.2])
    found = find_segments(times, scores, SegmentRule(), end=3.0, abstain_below=0.6)
    assert [(each.code, each.score) for each in found] == [(0, 0.9), (2, 0.55), (1, 0.8)]


def test_a_length_below_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="min duration of -1 s: 0 or more"):
        SegmentRule(-1.0)
