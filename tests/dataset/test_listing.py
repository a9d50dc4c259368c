import os
import zipfile
from pathlib import Path

import pytest

from audioclf.dataset.listing import list_files, list_folder
from audioclf.plugin import DatasetError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("set/a/1.wav", "set/notes.txt", "set/.hidden"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "set"


def names(path: Path | str) -> list[str]:
    return sorted(name for name, _ in list_files(path).entries)


def test_a_folder_and_a_zip_of_it_hold_the_same_files(root: Path) -> None:
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for each in root.rglob("*"):
            archive.write(each, each.relative_to(root).as_posix())
    assert names(path) == names(root) == ["a/1.wav", "notes.txt"]


def test_an_archive_is_known_by_its_content_not_by_its_name(root: Path) -> None:
    path = root.with_name("download")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.wav", "")
    assert names(path) == ["1.wav"]


def test_a_file_that_is_no_archive_is_refused(root: Path) -> None:
    with pytest.raises(DatasetError, match=r"notes\.txt: not a readable zip archive"):
        list_files(root / "notes.txt")


def test_what_is_missing_is_named_in_full(root: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        list_files(root / ".." / "gone.zip")
    assert caught.value.message == f"no such folder or zip archive: {root.parent / 'gone.zip'}"


def test_urls_that_end_in_zip_are_archives_and_others_folders(root: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="URLs need fsspec")
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.wav", "one")
    fs.pipe("/set/a.zip", path.read_bytes())
    fs.pipe("/set/b/2.wav", b"two")
    assert names("memory://set/a.zip") == ["1.wav"]
    assert names("memory://set") == ["a.zip", "b/2.wav"]


def test_an_undecodable_name_is_refused_for_audio_only(root: Path) -> None:
    bad = os.fsdecode(b"M\xfcller")
    try:
        (root / f"{bad}.txt").write_text("")
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    assert names(root)[0] == f"M{bad[1]}ller.txt"
    (root / f"{bad}.wav").write_text("")
    with pytest.raises(DatasetError, match=r"1 file name is not valid UTF-8: .*M.xfcller.wav"):
        list_files(root)
    assert len(list_folder(root, any_names=True).entries) == 4
