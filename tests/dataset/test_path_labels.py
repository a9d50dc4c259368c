import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioclf.dataset.path_labels import (
    AUDIO_SUFFIXES,
    check_label_pattern,
    fold_for_testing,
    label_clips,
)
from audioclf.plugin import Dataset, DatasetError, FileSource, Listing


def dataset(*paths: str, label_pattern: str | None = None) -> Dataset:
    entries = [(path, FileSource(Path("/data", path))) for path in paths]
    return label_clips(Listing("set", tuple(entries)), label_pattern)


def labels(found: Dataset) -> dict[str, str]:
    return {clip.id: clip.label for clip in found}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ("dog/1.wav cat/2.wav", {"dog/1.wav": "dog", "cat/2.wav": "cat"}),
        ("top/of/all/dog/1.wav top/of/all/cat/2.wav", {"dog/1.wav": "dog", "cat/2.wav": "cat"}),
        ("top/dog/a/1.wav top/cat/2.wav README.md", {"dog/a/1.wav": "dog", "cat/2.wav": "cat"}),
        ("cat/1.wav cattle/2.wav", {"cat/1.wav": "cat", "cattle/2.wav": "cattle"}),
    ],
)
def test_the_first_folder_below_the_wrapping_ones_is_the_class(
    paths: str, expected: dict[str, str]
) -> None:
    assert labels(dataset(*paths.split())) == expected


def test_each_clip_keeps_its_source() -> None:
    found = dataset("top/dog/1.wav", "top/cat/2.wav")
    sources = {clip.id: clip.source.name for clip in found}
    assert sources["cat/2.wav"] == str(Path("/data/top/cat/2.wav"))


@given(order=st.permutations(["a/1.wav", "a/2.wav", "b/1.wav", "b/x/1.wav", "c/1.flac", "n.txt"]))
def test_the_order_of_the_entries_makes_no_difference(order: list[str]) -> None:
    expected = dataset("a/1.wav", "a/2.wav", "b/1.wav", "b/x/1.wav", "c/1.flac", "n.txt")
    found = dataset(*order)
    assert found.clips == expected.clips
    assert found.notes == expected.notes


@pytest.mark.parametrize("suffix", sorted(AUDIO_SUFFIXES))
def test_the_case_of_an_ending_makes_no_difference(suffix: str) -> None:
    found = dataset(f"dog/1{suffix.upper()}", f"cat/2{suffix.title()}", f"cat/3{suffix}")
    assert len(found) == 3


def test_ids_and_labels_are_composed_unicode() -> None:
    decomposed = unicodedata.normalize("NFD", "é")
    found = dataset(f"{decomposed}/1.wav", "a/1.wav")
    assert labels(found) == {"a/1.wav": "a", "é/1.wav": "é"}


@pytest.mark.usefixtures("no_decoders")
@pytest.mark.parametrize(
    ("paths", "notes"),
    [
        (["b.pdf", "a.txt"], ["ignored 2 files that are not audio: a.txt, b.pdf"]),
        (["cat/a.txt"], ["ignored 1 file that is not audio: cat/a.txt"]),
        (
            [f"{n}.txt" for n in range(5)],
            ["ignored 5 files that are not audio: 0.txt, 1.txt, 2.txt, ..."],
        ),
        (["\x1b[2J.txt"], ["ignored 1 file that is not audio: '\\x1b[2J.txt'"]),
        (["cat/3.M4A"], ["ignored 1 file in an unsupported audio format: cat/3.M4A"]),
    ],
)
def test_ignored_files_are_counted_and_named(paths: list[str], notes: list[str]) -> None:
    assert list(dataset("dog/1.wav", "cat/2.wav", *paths).notes) == notes


def test_notes_of_the_listing_come_first() -> None:
    entries = [(path, FileSource(Path(path))) for path in ("a/1.wav", "b/2.wav", "x.txt")]
    found = label_clips(Listing("set", tuple(entries), ("first",)))
    assert found.notes[0] == "first"
    assert len(found.notes) == 2


@pytest.mark.usefixtures("no_decoders")
@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "set: no audio files found"),
        (["a.txt"], "set: no audio files found, only a.txt"),
        (["a/1.m4a", "b/2.wma", "x.txt"], "no supported audio files, only .m4a, .wma"),
        (
            ["top/dog/1.wav", "top/dog/2.wav", "top/dog/3.wav"],
            "set: all 3 audio files lie in one folder 'dog': at least two class folders are needed",
        ),
        (["dog/1.wav"], "set: its only audio file lies in one folder 'dog': at least two class"),
        (["1.wav", "2.wav"], "set: all 2 audio files lie at the top, outside any folder: at least"),
        (
            ["dog/1.wav", "cat/2.wav", "b.wav", "a.wav"],
            "set: 2 audio files lie beside the class folders, not in one: a.wav, b.wav",
        ),
        (
            ["dog/1.wav", *(f"{n}.wav" for n in range(4))],
            "set: 4 audio files lie beside the class folders, not in one: 0.wav, 1.wav, 2.wav, ...",
        ),
        (
            ["train/dog/1.wav", "train/cat/2.wav", "test/3.wav"],
            "set: 1 audio file lies beside the class folders, not in one: test/3.wav",
        ),
        (
            ["train/1.wav", "test/2.wav"],
            "set: the folders test, train are named like splits; expected class",
        ),
    ],
)
def test_what_has_no_label_is_refused(paths: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(message)):
        dataset(*paths)


@pytest.mark.parametrize(
    ("paths", "classes"),
    [
        (["recordings/0_george_0.wav", "recordings/1_george_0.wav"], ("0", "1")),
        (["dog/1.wav", "cat_2.wav"], ("cat", "dog")),
        (["train/1.wav", "test/2.wav"], ("test", "train")),
    ],
)
def test_the_label_pattern_that_a_hint_suggests_works(
    paths: list[str], classes: tuple[str, ...]
) -> None:
    with pytest.raises(DatasetError) as caught:
        dataset(*paths)
    suggested = re.search(r"label_pattern such as '(.+)',", caught.value.hint or "")
    assert suggested is not None
    assert dataset(*paths, label_pattern=suggested[1]).classes == classes


def test_published_splits_are_folds() -> None:
    found = dataset("top/Train/dog/1.wav", "top/Train/cat/2.wav", "top/test/dog/1.wav")
    assert [(clip.id, clip.label, clip.fold) for clip in found] == [
        ("Train/cat/2.wav", "cat", "Train"),
        ("Train/dog/1.wav", "dog", "Train"),
        ("test/dog/1.wav", "dog", "test"),
    ]


@pytest.mark.parametrize(
    ("first", "label_first"),
    [
        ("train test extra", False),
        ("train test unlabeled_2", False),
        ("development evaluation", False),
        ("dev_set Eval-Set", False),
        ("train1 train2 holdout", False),
        ("fold1 fold2 fold10", False),
        ("train test", True),
        ("training validation", True),
    ],
)
def test_folders_of_a_split_are_folds_and_no_classes(first: str, label_first: bool) -> None:
    splits = first.split()
    pattern = "{label}/{split}/1.wav" if label_first else "{split}/{label}/1.wav"
    paths = [pattern.format(split=split, label=label) for split in splits for label in ("a", "b")]
    found = dataset(*paths)
    assert found.classes == ("a", "b")
    assert {clip.fold for clip in found} == set(splits)
    assert found.notes == ()


def test_folders_named_like_splits_that_hold_no_classes_are_noted() -> None:
    found = dataset("train/a/1.wav", "test/a/2.wav", "steam/x/3.wav")
    assert found.classes == ("steam", "test", "train")
    assert found.notes[0].startswith(
        "the folders steam, test, train are the classes, although test, train are named like splits"
    )


def test_classes_that_share_an_inner_folder_are_noted() -> None:
    found = dataset("north/cat/1.wav", "north/dog/2.wav", "south/cat/3.wav", "south/dog/4.wav")
    assert found.notes[0].startswith(
        "the folders north, south are the classes, although each has a folder cat, ...: "
    )


@pytest.mark.parametrize(
    ("folds", "expected"),
    [
        ("train test extra", "test"),
        ("dev eval", "eval"),
        ("train val", "val"),
        ("Training_Set Test_Set Valid", "Test_Set"),
        ("train dev", "dev"),
        ("1 2 3", None),
        ("train extra", None),
    ],
)
def test_the_fold_for_testing_is_known_by_its_name(folds: str, expected: str | None) -> None:
    assert fold_for_testing(folds.split()) == expected


def test_a_split_name_among_others_is_a_class() -> None:
    found = dataset("test/a/1.wav", "siren/b/2.wav")
    assert [(clip.label, clip.fold) for clip in found] == [("siren", None), ("test", None)]


def test_a_label_pattern_reads_label_group_and_fold() -> None:
    found = dataset(
        "recordings/a/7_george_0.wav",
        "recordings/b/3_lucas.wav",
        label_pattern=r"^./(?P<label>\d)_(?P<group>[a-z]+)(_(?P<fold>\d+))?",
    )
    assert [(clip.id, clip.label, clip.group, clip.fold) for clip in found] == [
        ("a/7_george_0.wav", "7", "george", "0"),
        ("b/3_lucas.wav", "3", "lucas", None),
    ]


def test_further_named_groups_of_a_label_pattern_are_subgroups() -> None:
    pattern = r"(?P<label>[ab])/(?P<machine>[a-z]+)(_(?P<place>[a-z]+))?"
    found = dataset("a/fan_hall.wav", "b/pump.wav", label_pattern=pattern)
    fan, pump = (clip.subgroups for clip in found)
    assert fan == (("machine", "fan"), ("place", "hall"))
    assert pump == (("machine", "pump"),)


def test_files_that_the_pattern_does_not_match_are_counted_and_named() -> None:
    message = "set: 4 files do not match label_pattern, of 5: a.wav, b.wav, c.wav, ..."
    with pytest.raises(DatasetError, match=re.escape(message)):
        dataset("d.wav", "c.wav", "b.wav", "a.wav", "1.wav", label_pattern=r"(?P<label>\d)")


@pytest.mark.parametrize("pattern", [r"^(?P<label>\d*)", r"^(?P<label>\d)?"])
def test_an_empty_label_is_refused(pattern: str) -> None:
    message = "set: label_pattern gives an empty label for a.wav"
    with pytest.raises(DatasetError, match=re.escape(message)):
        dataset("1.wav", "a.wav", label_pattern=pattern)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "not a Python regular expression: missing ), unterminated subpattern at position 0"),
        ("a{99999999999}", "not a Python regular expression"),
        (r"\d+", "a group (?P<label>...) is needed; it has no named group"),
        ("(?P<lable>.)(?P<fold>.)", "(?P<label>...) is needed; its named groups are lable, fold"),
    ],
)
def test_a_pattern_that_cannot_give_labels_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check_label_pattern(pattern)
