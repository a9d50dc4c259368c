import zipfile
from pathlib import Path
from typing import Any

import pytest

from audioclf.builtin.loaders.audiofolder import AudioFolder
from audioclf.plugin import Dataset, DatasetError
from tests.builtin.loaders.files import labels


def fill(root: Path, *names: str, **tables: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    for name, text in tables.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def load(root: Path, **fields: Any) -> Dataset:
    return AudioFolder(path=root, **fields).load()


def error(root: Path, **fields: Any) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        load(root, **fields)
    return caught.value


CSV = "file_name,label\n1.wav,dog\n2.wav,cat\n"


def test_metadata_label_the_files_beside_them(tmp_path: Path) -> None:
    found = load(fill(tmp_path, "1.wav", "2.wav", metadata_csv=CSV))
    assert labels(found) == {"1.wav": "dog", "2.wav": "cat"}
    assert found.name == str(tmp_path)
    assert found.notes == ()
    with found.clips[0].source.open() as stream:
        assert stream.read() == b"1.wav"


def test_a_zip_holds_the_same_clips_below_its_wrapping_folders(tmp_path: Path) -> None:
    root = fill(tmp_path / "set", "train/1.wav", "test/2.wav")
    fill(root, metadata_csv="file_name,label\ntrain/1.wav,dog\ntest/2.wav,cat\n")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in root.rglob("*.*"):
            archive.write(path, f"top/set/{path.relative_to(root).as_posix()}")
    facts = [
        [(clip.id, clip.label, clip.fold) for clip in load(path)]
        for path in (root, tmp_path / "set.zip")
    ]
    assert facts[0] == facts[1] == [("test/2.wav", "cat", "test"), ("train/1.wav", "dog", "train")]


def test_each_split_may_have_metadata_of_its_own(tmp_path: Path) -> None:
    train, test = "file_name,label\n1.wav,dog\nx/2.wav,cat\n", "file_name,label\n1.wav,cat\n"
    root = fill(tmp_path, "train/1.wav", "train/x/2.wav", "test/1.wav")
    found = load(fill(root, train__metadata_csv=train, test__metadata_csv=test))
    assert [(clip.id, clip.label, clip.fold) for clip in found] == [
        ("test/1.wav", "cat", "test"),
        ("train/1.wav", "dog", "train"),
        ("train/x/2.wav", "cat", "train"),
    ]


def test_folders_that_are_no_split_are_no_folds(tmp_path: Path) -> None:
    root = fill(tmp_path, "train/1.wav", "other/2.wav")
    fill(root, metadata_csv="file_name,label\ntrain/1.wav,dog\nother/2.wav,cat\n")
    assert {clip.fold for clip in load(root)} == {None}


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    text = "file_name,genre,speaker,part,label\ntrain/1.wav,dog,ann,2,x\ntrain/2.wav,cat,bob,,y\n"
    root = fill(tmp_path, "train/1.wav", "train/2.wav", metadata_csv=text)
    found = load(root, label="genre", group="speaker", fold="part")
    facts = [(clip.label, clip.group, clip.fold) for clip in found]
    assert facts == [("dog", "ann", "2"), ("cat", "bob", "train")]


def test_columns_that_happen_to_have_a_meaning_elsewhere_have_none_here(tmp_path: Path) -> None:
    text = "file_name,label,start,weight,group\n1.wav,dog,once,heavy,x\n"
    (clip,) = load(fill(tmp_path, "1.wav", metadata_csv=text))
    assert (clip.id, clip.start, clip.group) == ("1.wav", None, None)


def test_metadata_win_over_folders_and_say_where_they_disagree(tmp_path: Path) -> None:
    text = "file_name,label\ndog/1.wav,dog\ndog/2.wav,cat\ncat/3.wav,cat\n"
    found = load(fill(tmp_path, "dog/1.wav", "dog/2.wav", "cat/3.wav", metadata_csv=text))
    assert labels(found)["dog/2.wav"] == "cat"
    (note,) = found.notes
    assert note == (
        "1 file has another label in the metadata than by the folder; metadata are used: "
        "dog/2.wav is 'cat'"
    )


def test_folders_that_are_no_classes_do_not_disagree(tmp_path: Path) -> None:
    text = "file_name,label\nann/1.wav,dog\nbob/2.wav,cat\n"
    assert load(fill(tmp_path, "ann/1.wav", "bob/2.wav", metadata_csv=text)).notes == ()


def test_files_that_are_not_listed_are_noted(tmp_path: Path) -> None:
    root = fill(tmp_path, "1.wav", "2.wav", "3.flac", "x/4.wav", "LICENSE", metadata_csv=CSV)
    found = load(root)
    assert len(found) == 2
    assert found.notes == ("ignored 2 audio files that are not in the metadata: 3.flac, x/4.wav",)


def test_files_that_are_listed_and_not_there_are_an_error(tmp_path: Path) -> None:
    found = error(fill(tmp_path, "1.wav", metadata_csv=CSV))
    where = f"looked for in {tmp_path}: 2.wav"
    assert found.message == f"{tmp_path / 'metadata.csv'}: 1 file is missing, of 2, {where}"


def test_without_metadata_folders_are_classes(tmp_path: Path) -> None:
    found = load(fill(tmp_path, "train/dog/1.wav", "test/cat/2.wav"))
    assert [(clip.label, clip.fold) for clip in found] == [("cat", "test"), ("dog", "train")]


def test_two_metadata_files_in_one_folder_are_refused(tmp_path: Path) -> None:
    root = fill(tmp_path, "x/1.wav", x__metadata_csv=CSV, x__metadata_jsonl="{}")
    found = error(root)
    words = "the folder 'x/' has two metadata files: metadata.csv and metadata.jsonl"
    assert found.message == f"{tmp_path}: {words}"
    assert found.hint == "Remove one of them."


def test_a_missing_label_column_is_named(tmp_path: Path) -> None:
    found = error(fill(tmp_path, "1.wav", metadata_csv="file_name,genre\n1.wav,rock\n"))
    path = tmp_path / "metadata.csv"
    assert found.message == f"{path}: no column 'label'; there are file_name, genre"
    assert found.hint is not None
    assert found.hint.startswith("Set `label: NAME` to the name of the column")


def test_files_outside_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "1.wav")
    root = fill(tmp_path / "set", "2.wav", metadata_csv="file_name,label\n../1.wav,dog\n")
    found = error(root)
    assert "line 2: '../1.wav' leads out of the folder of the audio files" in found.message
    assert found.hint is None
