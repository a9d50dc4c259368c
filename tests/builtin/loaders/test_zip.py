from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from audioclf.builtin.loaders.folder import FolderDataset
from audioclf.builtin.loaders.zip import ZipDataset
from audioclf.components.fields import validate_component
from audioclf.plugin import DatasetError

REPO = Path(__file__).parents[3]
DATA = Path(os.environ.get("AUDIOCLF_DATA", REPO.parent / "shared" / "data"))


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as writer:
        for name in names:
            writer.writestr(name, name)
    return path


def recordings(name: str) -> Path:
    if not (DATA / name).is_file():
        pytest.skip(f"{name} is not there; AUDIOCLF_DATA names the folder of the recordings")
    return DATA / name


def test_folders_are_classes_below_wrapping_ones(tmp_path: Path) -> None:
    path = archive(tmp_path / "set.zip", "top/", "top/dog/", "top/dog/1.wav", "top/cat/2.wav")
    found = ZipDataset(path=path).load()
    assert {clip.id: clip.label for clip in found} == {"dog/1.wav": "dog", "cat/2.wav": "cat"}


def test_each_clip_reads_its_own_member(tmp_path: Path) -> None:
    contents = {}
    for clip in ZipDataset(path=archive(tmp_path / "set.zip", "dog/1.wav", "cat/2.wav")).load():
        with clip.source.open() as stream:
            contents[clip.id] = stream.read()
    assert contents == {"dog/1.wav": b"dog/1.wav", "cat/2.wav": b"cat/2.wav"}


def test_the_order_in_the_archive_makes_no_difference(tmp_path: Path) -> None:
    names = ["dog/1.wav", "cat/2.wav", "cat/1.wav"]
    forward = ZipDataset(path=archive(tmp_path / "a.zip", *names)).load()
    backward = ZipDataset(path=archive(tmp_path / "b.zip", *reversed(names))).load()
    assert [clip.id for clip in forward] == [clip.id for clip in backward]


def test_a_folder_and_a_zip_of_it_hold_the_same_clips(tmp_path: Path) -> None:
    names = ["top/train/dog/1.wav", "top/train/cat/2.wav", "top/test/dog/3.wav"]
    junk = ["__MACOSX/top/._x.wav", "top/.DS_Store", "top/train/.hidden/4.wav", "top/Thumbs.db"]
    for name in names + junk:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_text(name)
    zipped = ZipDataset(path=archive(tmp_path / "set.zip", *junk, *names)).load()
    unzipped = FolderDataset(path=tmp_path / "set").load()
    facts = [
        [(clip.id, clip.label, clip.fold) for clip in found] + list(found.notes)
        for found in (zipped, unzipped)
    ]
    assert facts[0] == facts[1]
    assert len(zipped) == 3


def test_the_dataset_is_named_by_its_path(tmp_path: Path) -> None:
    path = archive(tmp_path / "set.zip", "a/1.wav", "b/2.wav", "c.txt")
    found = ZipDataset(path=path).load()
    assert found.name == str(path)
    assert found.notes == ("ignored 1 file that is not audio: c.txt",)


def test_a_label_pattern_reaches_the_file_names(tmp_path: Path) -> None:
    path = archive(tmp_path / "set.zip", "all/0_george.wav", "all/1_lucas.wav")
    found = ZipDataset(path=path, label_pattern=r"^(?P<label>\d)_(?P<group>\w+)").load()
    assert [(clip.label, clip.group) for clip in found] == [("0", "george"), ("1", "lucas")]


def test_a_missing_archive_is_named_in_full(tmp_path: Path) -> None:
    missing = tmp_path / "configs" / ".." / "set.zip"
    message = f"no such zip archive: {tmp_path / 'set.zip'}"
    with pytest.raises(DatasetError, match=re.escape(message)):
        ZipDataset(path=missing).load()


def test_a_folder_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is a folder, not a zip archive") as caught:
        ZipDataset(path=tmp_path).load()
    assert caught.value.hint == "Use `type: folder` for it."


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_text("<html>not found</html>")
    with pytest.raises(DatasetError, match=re.escape(str(tmp_path / "set.zip"))):
        ZipDataset(path=tmp_path / "set.zip").load()


def test_an_archive_without_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no audio files found, only a\.txt"):
        ZipDataset(path=archive(tmp_path / "set.zip", "a.txt")).load()


def test_a_bad_label_pattern_is_an_error_of_that_field() -> None:
    with pytest.raises(ValidationError) as caught:
        validate_component(ZipDataset, {"path": "x.zip", "label_pattern": r"(\d)"})
    (error,) = caught.value.errors()
    assert error["loc"] == ("label_pattern",)
    assert "a group (?P<label>...) is needed; it has no named group" in error["msg"]


def test_barbie_and_puppy_are_two_classes() -> None:
    found = ZipDataset(path=recordings("barbie_vs_puppy.zip")).load()
    assert found.class_counts == {"barbie": 50, "puppy": 48}
    assert found.notes == ()


def test_spoken_digits_have_speakers_as_groups() -> None:
    pattern = r"^(?P<label>\d)_(?P<group>[a-z]+)_"
    found = ZipDataset(path=recordings("free_spoken_digits.zip"), label_pattern=pattern).load()
    assert found.class_counts == {str(digit): 300 for digit in range(10)}
    assert len({clip.group for clip in found}) == 6


def test_spoken_digits_without_a_pattern_lie_in_one_folder() -> None:
    message = "all 3,000 audio files lie in one folder 'recordings': at least two class folders"
    with pytest.raises(DatasetError, match=message):
        ZipDataset(path=recordings("free_spoken_digits.zip")).load()
