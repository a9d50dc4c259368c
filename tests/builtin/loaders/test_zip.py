from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.components.fields import validate_component
from audioclf.plugin import Clip, DatasetError
from tests.builtin.loaders.files import archive

REPO = Path(__file__).parents[3]
DATA = Path(os.environ.get("AUDIOCLF_DATA", REPO.parent / "shared" / "data"))


def content(clip: Clip) -> bytes:
    with clip.source.open() as stream:
        return stream.read()


def recordings(name: str) -> Path:
    if not (DATA / name).is_file():
        pytest.skip(f"{name} is not there; AUDIOCLF_DATA names the folder of the recordings")
    return DATA / name


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
        [(clip.id, clip.label, clip.fold, content(clip)) for clip in found] + list(found.notes)
        for found in (zipped, unzipped)
    ]
    assert facts[0] == facts[1]
    assert len(zipped) == 3
    assert (zipped.name, unzipped.name) == (str(tmp_path / "set.zip"), str(tmp_path / "set"))


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


def test_a_bad_label_pattern_is_an_error_of_that_field() -> None:
    with pytest.raises(ValidationError) as caught:
        validate_component(ZipDataset, {"path": "x.zip", "label_pattern": r"(\d)"})
    (error,) = caught.value.errors()
    assert error["loc"] == ("label_pattern",)
    assert "a group (?P<label>...) is needed; it has no named group" in error["msg"]


def test_spoken_digits_have_speakers_as_groups() -> None:
    pattern = r"^(?P<label>\d)_(?P<group>[a-z]+)_"
    found = ZipDataset(path=recordings("free_spoken_digits.zip"), label_pattern=pattern).load()
    assert found.class_counts == {str(digit): 300 for digit in range(10)}
    assert len({clip.group for clip in found}) == 6
