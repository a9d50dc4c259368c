"""Clips in a stable order, whatever the order in which they are found."""

import random
import unicodedata
from pathlib import Path

import pytest

from audioclf.base.errors import DatasetError, DecodeError
from audioclf.dataset import sources
from audioclf.dataset.archive import open_archive
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource, PartSource, RemoteSource, Span, ZipSource
from tests.hostile.files import MemorySource


def clip(name: str, label: str = "a") -> Clip:
    return Clip(name, label, FileSource(Path(name)))


def test_clips_are_sorted_by_id_and_classes_by_name() -> None:
    clips = [clip(f"{i}.wav", label) for i, label in enumerate("cabbac")]
    random.Random(0).shuffle(clips)
    dataset = Dataset(clips, name="d")
    assert [c.id for c in dataset] == sorted(c.id for c in clips)
    assert dataset.classes == ("a", "b", "c")
    assert dataset.encoded_labels() == [2, 0, 1, 1, 0, 2]
    assert dataset.class_counts == {"a": 2, "b": 2, "c": 2}


def test_composed_and_decomposed_letters_are_one_class() -> None:
    forms = [unicodedata.normalize(form, "café") for form in ("NFC", "NFD")]
    dataset = Dataset([clip("1.wav", forms[0]), clip("2.wav", forms[1])], name="d")
    assert dataset.classes == (forms[0],)


def test_two_clips_with_one_id_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"d: two clips have the id 'x\.wav'"):
        Dataset([clip("x.wav"), clip("x.wav", "b")], name="d")


def test_a_dataset_without_clips_is_refused() -> None:
    with pytest.raises(DatasetError, match="d: no audio files found"):
        Dataset([], name="d")


def test_a_subset_keeps_the_order() -> None:
    dataset = Dataset([clip(f"{i}.wav") for i in range(5)], name="d")
    assert [c.id for c in dataset.subset(["3.wav", "1.wav"])] == ["1.wav", "3.wav"]


def test_the_fingerprint_follows_labels_groups_folds_and_content() -> None:
    digests = {"x.wav": "0"}
    source = FileSource(Path("x.wav"))
    variants = [
        Dataset([Clip("x.wav", label, source, group, fold)], name="d").fingerprint(digests)
        for label, group, fold in (
            ("a", None, None),
            ("b", None, None),
            ("a", "g", None),
            ("a", None, "g"),
        )
    ]
    other = Dataset([Clip("x.wav", "a", source)], name="d").fingerprint({"x.wav": "1"})
    assert len({*variants, other}) == 5


def test_a_file_and_a_zip_member_give_the_same_bytes(sounds: Path, sounds_zip: Path) -> None:
    member = next(m for m in open_archive(sounds_zip).members if m.name.endswith("low_0.wav"))
    with ZipSource(member).open() as packed, FileSource(sounds / "low/low_0.wav").open() as plain:
        assert packed.read() == plain.read()
    assert ZipSource(member).name == f"{sounds_zip}!sounds/low/low_0.wav"


def test_digests_follow_the_stored_bytes(sounds: Path) -> None:
    source = FileSource(sounds / "low/low_0.wav")
    before = source.digest()
    assert before == source.digest()
    source.path.write_bytes(b"other")
    assert source.digest() != before


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    source = FileSource(tmp_path / "gone.wav")
    for read in (source.open, source.digest, source.stamp):
        with pytest.raises(DecodeError, match=r"gone\.wav: No such file or directory"):
            read()


def test_a_source_that_cannot_tell_has_no_stamp() -> None:
    assert MemorySource(b"sound").stamp() is None


@pytest.mark.skipif(not Path("/proc/self/mem").is_file(), reason="Linux only")
def test_a_file_that_cannot_be_read_is_named_by_its_digest_too() -> None:
    with pytest.raises(DecodeError, match=r"^/proc/self/mem: Input/output error$"):
        FileSource(Path("/proc/self/mem")).digest()


def test_a_part_opens_its_whole_file(sounds: Path) -> None:
    source = FileSource(sounds / "low" / "low_0.wav")
    with PartSource(source, Span(0.1, 0.2)).open() as stream:
        assert stream.read() == source.path.read_bytes()


def test_parts_of_a_member_share_its_stamp_and_digest(sounds_zip: Path) -> None:
    source = ZipSource(open_archive(sounds_zip).members[0])
    whole = PartSource(source, Span(0.1, 0.2)).file
    assert (whole.name, whole.stamp(), whole.digest()) == (
        source.name,
        source.stamp(),
        source.digest(),
    )


def test_a_file_that_may_have_changed_is_fetched_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return b"sound"

    monkeypatch.setattr(sources, "stamp_remote", lambda url: None)
    monkeypatch.setattr(sources, "read_whole", fetch)
    source = PartSource(RemoteSource("https://x.org/a.wav"), Span(0.0, 0.1))
    for _ in range(2):
        with source.open() as stream:
            assert stream.read() == b"sound"
    assert len(fetched) == 2


def test_a_dataset_shows_what_it_holds(sounds: Path) -> None:
    found = Dataset([Clip("a", "dog", FileSource(sounds))], name="sounds")
    assert repr(found) == "Dataset('sounds', 1 clips, 1 classes)"


def test_a_class_of_the_order_without_a_clip_is_noted() -> None:
    clips = [Clip(name, name, None) for name in ("mild", "none")]  # type: ignore[arg-type]
    dataset = Dataset(clips, name="d", target=("none", "mild", "severe"))
    assert dataset.classes == ("none", "mild")
    assert dataset.encoded_labels() == [1, 0]
    assert dataset.notes == ("no clip is of 'severe', which the ranks leave out",)
    with pytest.raises(DatasetError, match="the class of 'none' is not in the order"):
        Dataset(clips, name="d", target=("mild", "severe"))


@pytest.mark.parametrize(("label", "is_number"), [("3.5", True), ("high", False), ("nan", False)])
def test_a_dataset_of_numbers_has_no_classes(label: str, is_number: bool) -> None:
    clips = [Clip("a", "1", None), Clip("b", label, None)]  # type: ignore[arg-type]
    if not is_number:
        with pytest.raises(DatasetError, match="the label of 'b' is no number"):
            Dataset(clips, name="d", target="number")
        return
    dataset = Dataset(clips, name="d", target="number")
    assert dataset.classes == ()
    assert dataset.targets.truth.tolist() == [1.0, 3.5]
    assert dataset.in_ranges().classes == ("1", "3.5")
    with pytest.raises(DatasetError, match="made for classes, and the labels are numbers"):
        dataset.encoded_labels()
