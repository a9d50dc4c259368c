"""Which recordings are meant."""

import os
from pathlib import Path

import pytest

from audioclf.base.errors import DatasetError
from audioclf.dataset.sources import Span
from audioclf.predict.inputs import collect, split_list
from tests.conftest import zip_folder
from tests.predict.making import recording


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    for name in ("b/2.wav", "b/10.WAV", "a.flac", ".hidden/x.wav", "b/._2.wav"):
        recording(root / name, 0.1)
    (root / "notes.txt").write_text("no audio")
    return root


def names(*arguments: object, listed: tuple[str, ...] = ()) -> list[str]:
    return [each.name for each in collect([str(a) for a in arguments], listed).recordings]


def test_a_folder_is_sorted_and_its_junk_passed_over(folder: Path) -> None:
    found = collect([str(folder)])
    assert [r.place for r in found.recordings] == ["a.flac", "b/10.WAV", "b/2.wav"]
    assert found.notes == (
        "ignored 2 hidden entries: ._*, .hidden/",
        "ignored 1 file without the suffix of an audio format: notes.txt",
    )


def test_an_undecodable_name_in_a_folder_is_a_recording(folder: Path) -> None:
    bad = os.fsdecode(b"M\xfcller.wav")
    try:
        (folder / "a.flac").rename(folder / bad)
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    assert names(folder)[0] == str(folder / bad)


def test_a_table_names_files_in_any_normal_form(tmp_path: Path) -> None:
    recording(tmp_path / "kro\u0308te" / "\u00e4.wav", 0.1)
    table = tmp_path / "t.csv"
    table.write_text("path\nkr\u00f6te/\u00e4.wav\n", encoding="utf-8")
    assert names(table) == [str(tmp_path / "kro\u0308te" / "\u00e4.wav")]


def test_an_error_names_symlinked_folders(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "b").symlink_to(folder / "b")
    with pytest.raises(DatasetError, match=r"no audio files found in .*; ignored 1 symlinked fold"):
        collect([str(tmp_path / "links")])


def test_a_zip_is_read_in_place(folder: Path, tmp_path: Path) -> None:
    archive = zip_folder(folder, tmp_path / "in.zip")
    assert names(archive)[0] == f"{archive}!in/a.flac"


def test_arguments_keep_their_order(folder: Path) -> None:
    b, a = folder / "b" / "2.wav", folder / "a.flac"
    assert names(b, a) == [str(b), str(a)]


def test_a_recording_that_is_named_twice_counts_once(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.wav"
    link.symlink_to(folder / "b" / "2.wav")
    found = collect([str(folder / "b" / "2.wav"), str(folder), str(link)])
    assert len(found.recordings) == 3
    assert "2 recordings named twice, predicted once" in found.notes[-1]


def test_a_glob_is_ours_to_expand(folder: Path) -> None:
    assert names(folder / "**" / "*.wav") == [str(folder / "b" / "2.wav")]
    assert names(folder / "*.*") == [str(folder / "a.flac")]


def test_a_file_whose_name_is_a_glob_is_a_file(tmp_path: Path) -> None:
    path = recording(tmp_path / "a[1].wav", 0.1)
    assert names(path) == [str(path)]


def test_a_list_may_name_what_is_missing(folder: Path) -> None:
    listed = (str(folder / "gone.wav"), str(folder / "b"))
    assert names("-", listed=listed)[0] == str(folder / "gone.wav")


def test_a_table_names_files_beside_it_and_their_parts(folder: Path) -> None:
    table = folder / "t.csv"
    table.write_text("path,start,end,other\nb/2.wav,0.01,0.05,x\nb/2.wav,0.05,,y\na.flac,,,z\n")
    found = collect([str(table)]).recordings
    assert [r.span for r in found] == [Span(0.01, 0.05), Span(0.05), None]
    assert {r.name for r in found} == {str(folder / "b/2.wav"), str(folder / "a.flac")}


def test_a_table_of_windows_and_a_list_with_a_byte_order_mark_are_read(folder: Path) -> None:
    (folder / "t.csv").write_text("path\nb\\2.wav\n")
    assert names(folder / "t.csv") == [str(folder / "b/2.wav")]
    assert split_list("\ufeffa.wav\nb.wav\n") == ["a.wav", "b.wav"]


def test_json_lines_are_a_table_too(folder: Path) -> None:
    table = folder / "t.jsonl"
    table.write_text('{"path": "a.flac", "start": 0.02}\n')
    assert collect([str(table)]).recordings[0].span == Span(0.02)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\na.wav\n", "no column 'path'; there are file"),
        ("path,start,end\na.wav,2,1\n", "line 2: not a part of a recording: from 2.0 to 1.0 s"),
        ("path,start\na.wav,x\n", "line 2: start is 'x', not a number of seconds"),
        ("path,start\n,1\n", "line 2: no path"),
        ("", "empty"),
    ],
)
def test_a_wrong_table_says_where(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        collect([str(tmp_path / "t.csv")])


def test_nothing_found_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        (["empty"], "no audio files found in .*empty"),
        (["gone.wav"], "no such file or folder: .*gone.wav"),
        (["*.wav"], "no file fits the pattern '.*wav'"),
    ):
        with pytest.raises(DatasetError, match=message):
            collect([str(tmp_path / each) for each in arguments])
    with pytest.raises(DatasetError, match="no audio files found in the list"):
        collect(["-"], [])
