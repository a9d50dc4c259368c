"""Rules by which marks on a recording become clips."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audioclf.dataset import cutting
from audioclf.dataset.cutting import Cut, Mark, WindowRule, cut_at_marks, cut_windows
from audioclf.plugin import DatasetError


def marks(*texts: str) -> list[Mark]:
    """Return the marks of texts such as `1-2.5 dog`."""
    parts = [text.replace("-", " ", 1).split(" ", 2) for text in texts]
    return [Mark(float(start), float(end), label) for start, end, label in parts]


def at_marks(*texts: str, longest: bool = False) -> tuple[list[Mark], int]:
    cut = cut_at_marks(marks(*texts), longest=longest)
    return list(cut.clips), cut.conflicts


def windows(
    *texts: str,
    seconds: float = 4.0,
    window: float = 1.0,
    hop: float = 1.0,
    share: float = 0.5,
    background: str | None = None,
    longest: bool = False,
) -> Cut:
    rule = WindowRule(window, hop, share, background)
    return cut_windows(marks(*texts), seconds, rule, longest=longest)


def spans(cut: Cut) -> list[str]:
    return [f"{mark.start:g}-{mark.end:g} {mark.label}" for mark in cut.clips]


OVERLAPPING = ["0-5 dog", "1-2 cat", "4-6 cat", "7-8 cat"]


@pytest.mark.parametrize(
    ("texts", "longest", "clips", "conflicts"),
    [
        (["3-4 dog", "0-2 cat", "0-2 cat"], False, ["0-2 cat", "3-4 dog"], 0),
        (["0-1 dog", "1-2 cat"], False, ["0-1 dog", "1-2 cat"], 0),
        (["0-2 dog", "1-3 dog"], False, ["0-2 dog", "1-3 dog"], 0),
        (["0-1 ", "2-2 dog", "0-1 cat"], False, ["0-1 cat"], 0),
        (OVERLAPPING, False, ["7-8 cat"], 3),
        (OVERLAPPING, True, ["0-5 dog", "7-8 cat"], 2),
        (["0-0.3 dog", "0.1-0.4 cat"], True, [], 2),
    ],
)
def test_marks_are_clips_unless_two_labels_overlap(
    texts: list[str], longest: bool, clips: list[str], conflicts: int
) -> None:
    assert at_marks(*texts, longest=longest) == (marks(*clips), conflicts)


@pytest.mark.parametrize(
    ("texts", "fields", "expected"),
    [
        (["0-0.3 dog", "0.6-0.8 dog"], {"seconds": 1.0}, ["0-1 dog"]),
        (["0-0.4 dog", "0.1-0.4 dog", "0.2-0.3 dog"], {"seconds": 1.0}, []),
        (["0-0.6 dog", "0.6-1 cat"], {"seconds": 1.0}, ["0-1 dog"]),
        (["1-2 dog"], {"seconds": 3.0, "background": "x"}, ["0-1 x", "1-2 dog", "2-3 x"]),
        ([], {"seconds": 2.9, "background": "x"}, ["0-1 x", "1-2 x"]),
        ([], {"seconds": 0.9, "background": "x"}, []),
        ([], {"seconds": 2.0, "hop": 0.5, "background": "x"}, ["0-1 x", "0.5-1.5 x", "1-2 x"]),
    ],
)
def test_windows_are_labeled_by_what_covers_them(
    texts: list[str], fields: dict[str, Any], expected: list[str]
) -> None:
    assert spans(windows(*texts, **fields)) == expected


def test_a_window_that_two_labels_cover_is_skipped() -> None:
    cut = windows("0-0.5 dog", "0.5-1 cat", "1-2 dog", seconds=2.0)
    assert spans(cut) == ["1-2 dog"]
    assert (cut.conflicts, cut.too_little) == (1, 0)


def test_the_label_that_covers_most_of_a_window_has_it_if_longest() -> None:
    cut = windows("0-0.8 dog", "0.3-1 cat", "1-1.5 dog", "1.5-2 cat", seconds=2.0, longest=True)
    assert spans(cut) == ["0-1 dog"]
    assert cut.conflicts == 1


def test_windows_that_nothing_touches_are_background() -> None:
    texts = ("0-1 dog", "1.2-1.3 dog", "2.5-2.6 ", "3-3 dog")
    cut = windows(*texts, seconds=6.0, background="noise")
    assert spans(cut) == ["0-1 dog", "4-5 noise", "5-6 noise"]
    assert cut.too_little == 3


def test_times_of_windows_are_decimal_fractions() -> None:
    cut = windows(seconds=1.0, window=0.1, hop=0.1, background="x")
    assert [mark.start for mark in cut.clips] == [i / 10 for i in range(10)]
    assert [mark.end for mark in cut.clips] == [(i + 1) / 10 for i in range(10)]


def test_absurdly_many_windows_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"windows with a hop of 1e-09 s \(limit 5,000,000\)"):
        windows(seconds=5.0, hop=1e-9)


def test_absurdly_many_overlaps_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MAX_OVERLAPS", 40)
    texts = [f"{i / 100}-9 {i}" for i in range(10)]
    with pytest.raises(DatasetError, match="more than 40 overlaps of annotations"):
        at_marks(*texts)
    with pytest.raises(DatasetError, match="more than 40 overlaps of annotations"):
        windows(*texts, seconds=9.0)


tenths = st.integers(0, 60)
some_marks = st.lists(
    st.tuples(tenths, tenths, st.sampled_from(["dog", "cat", "owl", ""])), max_size=8
)


@example([(30, 30, "dog")], 10, 10, 0.5, 60)
@given(some_marks, st.integers(1, 20), st.integers(1, 20), st.sampled_from([0.1, 0.5, 1.0]), tenths)
def test_windows_are_labeled_as_by_counting_tenths(
    drawn: list[tuple[int, int, str]], window: int, hop: int, share: float, total: int
) -> None:
    found = [Mark(min(a, b) / 10, max(a, b) / 10, label) for a, b, label in drawn]
    rule = WindowRule(window / 10, hop / 10, share, "none")
    cut = cut_windows(found, total / 10, rule, longest=False)
    expected = []
    for start in range(0, total - window + 1, hop):
        span = range(start, start + window)
        covered: dict[str, set[int]] = {}
        for a, b, label in drawn:
            inside = set(range(min(a, b), max(a, b))) & set(span)
            if inside or (a == b and start <= a < start + window):
                covered.setdefault(label, set()).update(inside)
        enough = [
            label
            for label, tens in covered.items()
            if label and len(tens) >= share * window - 1e-6 and tens
        ]
        labels = enough if covered else ["none"]
        if len(labels) == 1:
            expected.append(Mark(start / 10, (start + window) / 10, labels[0]))
    assert list(cut.clips) == expected


@given(some_marks)
def test_skipping_leaves_only_marks_that_no_other_label_touches(
    drawn: list[tuple[int, int, str]],
) -> None:
    found = {Mark(min(a, b) / 10, max(a, b) / 10, label) for a, b, label in drawn if a != b}
    named = {mark for mark in found if mark.label}
    expected = {
        mark
        for mark in named
        if all(
            other.label == mark.label or other.start >= mark.end or mark.start >= other.end
            for other in named
        )
    }
    cut = cut_at_marks(found, longest=False)
    assert set(cut.clips) == expected
    assert cut.conflicts == len(named) - len(expected)
