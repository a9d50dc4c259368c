"""What file names say of classes, and where they do not say it."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from audioclf.starters.first_config import draft_config
from audioclf.starters.first_config.names import are_folds, are_groups, find_convention, read_names
from tests.conftest import tone, write_wav


def named(form: str, *words: Sequence[str], each: int = 3) -> list[str]:
    """Return names with every combination of the words, each with some running numbers."""
    rows: list[list[str]] = [[]]
    for choices in words:
        rows = [[*row, word] for row in rows for word in choices]
    return [form.format(*row, n=n) for row in rows for n in range(each)]


def labels(ids: Sequence[str]) -> set[str]:
    choice = read_names(ids).choice
    assert choice is not None
    found = [re.search(choice.pattern, each) for each in ids]
    assert all(found)
    assert {m["label"] for m in found if m} == set(choice.values)
    return set(choice.values)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (named("{}_{}_{n}.wav", "0123456789", ["george", "lucas"], each=5), set("0123456789")),
        (named("{}{n}.wav", ["dog", "cat"]), {"dog", "cat"}),
        (named("{}-{n:03d}.flac", ["dog", "cat"]), {"dog", "cat"}),
        (named("{} ({n}).wav", ["dog", "cat"]), {"dog", "cat"}),
        (named("rec_{n:04d}_{}.wav", ["dog", "cat"]), {"dog", "cat"}),
        (named("{}_{n}.wav", ["American_Robin", "Blue_Jay"]), {"American_Robin", "Blue_Jay"}),
        (named("{} {n}.wav", ["Great Horned Owl", "Jay"]), {"Great Horned Owl", "Jay"}),
        (named("s{}_{}_{n}.wav", "12", ["dog", "cat"]), {"dog", "cat"}),
        (named("2023050{}_{}_{n}.wav", "12", ["owl", "jay"]), {"owl", "jay"}),
        (named("deep/er/{}_{n}.wav", ["é", "ü"]), {"é", "ü"}),
    ],
)
def test_the_class_is_found(ids: list[str], expected: set[str]) -> None:
    assert labels(ids) == expected


@pytest.mark.parametrize(
    "ids",
    [
        ["dog.wav", "cat.wav"],
        [f"{n}.wav" for n in range(20)],
        [f"clip_{n}.wav" for n in range(20)],
        [f"dog_{n}.wav" for n in range(20)],
        [f"{n:04d}_{n % 3}_{n % 4}.wav" for n in range(24)],
        named("{}_{}_{}_{n}.wav", ["dog", "cat"], ["ann", "bob"], ["loud", "soft"]),
        named("{}_{n}.wav", ["bird_jay", "bird_owl", "mammal_fox", "mammal_bat"]),
        named("s{}_{n}.wav", "123"),
        named("{n}_{}_a.wav", ["x"]),
    ],
)
def test_no_class_is_made_up(ids: list[str]) -> None:
    assert read_names(ids).choice is None


def test_the_running_number_is_no_class_and_no_alternative() -> None:
    reading = read_names(named("{}_{}_{n}.wav", "012", ["george", "lucas"], each=50))
    assert reading.choice is not None
    assert [set(other.values) for other in reading.others] == [{"george", "lucas"}]


def test_what_could_be_meant_is_offered_where_nothing_is_chosen() -> None:
    reading = read_names(named("{}_{n}.wav", ["bird_jay", "bird_owl", "bat_brown", "bat_grey"]))
    assert [set(each.values) for each in reading.others] == [
        {"bird", "bat"},
        {"jay", "owl", "brown", "grey"},
    ]


@pytest.mark.parametrize(
    ("names", "name", "expected"),
    [
        (["1-100-A-0.wav", "5-7-B-14.wav"], "ESC-50", {"label": "0", "group": "100", "fold": "1"}),
        (["fold1/1-3-0-2.wav"], "UrbanSound8K", {"label": "3", "group": "1", "fold": "1"}),
        (["Actor_01/03-01-05-01-02-01-12.wav"], "RAVDESS", {"label": "05", "group": "12"}),
        (["bed/00176480_nohash_0.wav"], "Speech", {"label": "bed", "group": "00176480"}),
    ],
)
def test_names_of_published_datasets_are_known(
    names: list[str], name: str, expected: dict[str, str]
) -> None:
    known = find_convention(names)
    assert known is not None
    assert known.name.startswith(name)
    match = re.search(known.pattern, names[0])
    assert match is not None
    assert match.groupdict() == expected


def test_other_names_are_not_taken_for_published_ones() -> None:
    assert find_convention(["1-100-A-0.wav", "dog.wav"]) is None


def test_folders_that_are_no_classes_are_told_from_classes() -> None:
    assert are_folds(["fold1", "fold_2", "Fold 10"])
    assert not are_folds(["fold1", "dog"])
    assert are_groups(["speaker1", "s02", "Site 3", "p225", "20230501"])
    assert not are_groups(["dog", "cat"])
    assert not are_groups(["speaker1", "dog"])


def annotated(folder: Path, names: list[str]) -> str:
    for name in names:
        write_wav(folder / f"{name}.wav", tone(300.0, 8.0, 8000, 0), 8000)
        rows = "0\t1\twren\n2\t3\trobin\n4\t5\twren\n6\t7\trobin\n"
        (folder / f"{name}.txt").write_text(rows, encoding="utf-8")
    return draft_config(folder, folder / "c.yaml").text


def test_recordings_of_one_site_are_kept_together(tmp_path: Path) -> None:
    names = [f"site{site}_2024050{day}_0600" for site in (1, 2, 3) for day in (1, 2)]
    text = annotated(tmp_path, names)
    assert "  group_pattern: '^(?P<group>[^\\W_]+)_'\n" in text
    assert "A GUESS" in text
    assert "Each of 3 groups is tested once" in text


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["north_1", "north_2", "south_1", "south_2"], True),
        (["20240501_1", "20240501_2", "20240502_1", "20240502_2"], True),
        (["hill_1", "lake_1", "wood_1"], False),
    ],
    ids=["two words", "dates", "one recording each"],
)
def test_unsafe_guesses_leave_each_recording_a_group(
    tmp_path: Path, names: list[str], told: bool
) -> None:
    text = annotated(tmp_path, names)
    assert "\n  group_pattern:" not in text
    assert ("#   group_pattern: '^(?P<group>[^\\W_]+)_'\n" in text) == told
